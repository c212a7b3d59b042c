"""CEL, the expression language of Kubernetes' rules and policies: parsed, checked, evaluated within a cost. Pure.

Text becomes a tree (`parser`), the tree is checked against what is declared (`checker`), and then made into functions that
call each other (`evaluator`, `macros`); `cost` foresees what they may cost; `program` is the door. What can be called is
declared in the `library_*` files, one signature and one function a line; `values` says what each type is in Python. Nothing
here is imported before the first expression exists.

Decided 2026-11-23: our own rather than a library. cel-python has no optional types, no checker and no bound on cost, and
brings a parser generator; the bindings of the Rust implementation check nothing, cannot tell int from uint once in Python,
and have no bound either. Regular expressions are RE2's own (google-re2): no pattern takes more than linear time.

Source: https://github.com/google/cel-spec (doc/langdef.md), https://kubernetes.io/docs/reference/using-api/cel/,
k8s.io/apiserver pkg/cel/environment/base.go (what v1.33 turns on)
"""
