"""The distributed hash table: Kademlia whose node ids are bound to device keys and whose records prove themselves.

Read `ids`, `contact`, `messages` and `datagrams` for what travels, `rpc` for one question and its answer, `table`,
`peers` and `lookup` for who knows whom, `records` and `store` for what is kept, `node` for what the others call.
"""
