// Exercises @kubernetes/client-node against the cluster of KUBECONFIG, in the namespace that is the first argument.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { PassThrough } from "node:stream";

const k8s = createRequire(`${process.cwd()}/package.json`)("@kubernetes/client-node");
const namespace = process.argv[2];
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

const refusal = async (call) => {
  const error = await call.then(() => assert.fail("was not refused"), (reason) => reason);
  const status = typeof error.body === "string" ? JSON.parse(error.body) : error.body;
  return [error.code, status.reason];
};
const collect = (stream) => {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
};

const map = (name, data) => ({ metadata: { name, labels: { mine: "yes" } }, data });
await core.createNamespacedConfigMap({ namespace, body: map("a", { k: "1" }) });
assert.deepEqual(await refusal(core.createNamespacedConfigMap({ namespace, body: map("a") })), [409, "AlreadyExists"]);
assert.deepEqual(await refusal(core.readNamespacedConfigMap({ namespace, name: "none" })), [404, "NotFound"]);
const patched = await core.patchNamespacedConfigMap(
  { namespace, name: "a", body: { data: { q: "2" } } },
  k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.MergePatch),
);
assert.deepEqual(patched.data, { k: "1", q: "2" });
const applied = await core.patchNamespacedConfigMap(
  { namespace, name: "b", body: { apiVersion: "v1", kind: "ConfigMap", ...map("b", { z: "3" }) }, fieldManager: "node" },
  k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.ServerSideApply),
);
assert.equal(applied.metadata.managedFields[0].operation, "Apply");
const page = await core.listNamespacedConfigMap({ namespace, labelSelector: "mine=yes", limit: 1 });
assert.equal(page.items.length, 1);
const rest = await core.listNamespacedConfigMap({ namespace, labelSelector: "mine=yes", _continue: page.metadata._continue });
assert.deepEqual(rest.items.map((item) => item.metadata.name), ["b"]);

const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, () => core.listNamespacedPod({ namespace }));
const running = new Promise((resolve, reject) => {
  informer.on("update", (pod) => pod.status.phase === "Running" && resolve(pod));
  informer.on("add", (pod) => pod.status.phase === "Running" && resolve(pod));
  informer.on("error", reject);
});
await informer.start();
const containers = [{ name: "main", image: "app:1" }];
await core.createNamespacedPod({ namespace, body: { metadata: { name: "p" }, spec: { containers } } });
assert.equal((await running).metadata.name, "p");
await informer.stop();
assert.equal(await core.readNamespacedPodLog({ namespace, name: "p" }), "Started simulated container main\n");

const out = new PassThrough();
const said = collect(out);
const status = await new Promise((resolve, reject) => {
  new k8s.Exec(config).exec(namespace, "p", "main", ["echo", "hi"], out, null, null, false, resolve).catch(reject);
});
assert.equal(status.status, "Success");
assert.equal(said(), "hi\n");
const nothing = new k8s.Exec(config).exec(namespace, "p", "main", ["true"], null, null, null, false);
await assert.rejects(nothing); // no stream was asked for

const labels = { app: "web" };
const template = { metadata: { labels }, spec: { containers } };
await apps.createNamespacedDeployment({
  namespace,
  body: { metadata: { name: "web" }, spec: { replicas: 1, selector: { matchLabels: labels }, template } },
});
const scale = await apps.readNamespacedDeploymentScale({ namespace, name: "web" });
scale.spec.replicas = 2;
delete scale.metadata.resourceVersion; // the controller writes the deployment meanwhile
assert.equal((await apps.replaceNamespacedDeploymentScale({ namespace, name: "web", body: scale })).spec.replicas, 2);

const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const read = await objects.read({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace } });
assert.equal(read.data.k, "1");
console.log("done");
