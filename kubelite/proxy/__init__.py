"""kube-proxy and cluster DNS of one node: Services answer, by address and by name.

Read in this order: `services` (what a Service and its EndpointSlices say), `rules` (that as elements of maps), `table`
(those as nftables text), `tracker` (what changed), `proxier` (the actor that keeps the kernel current, with `nftables` and
`conntrack` as its hands); then `zone` (the records), `dns` (packets to answers), `dns_server` (sockets), `forward` (other
servers' names).

2026-11: counted slots instead of a chain per Service, because one update then costs 0.5 ms at any number of Services.
2026-11: own DNS codec instead of a library, because it answers 15 times as many questions per second.
"""
