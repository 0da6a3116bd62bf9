;; Wants `wasi:http`, by which another host would let it reach the network past the gate.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (instance $nothing)
  (export "portcullis:adapter/operations@0.1.0" (instance $nothing)))
