;; Says that it is an adapter, and has none of an adapter's functions.
(component
  (instance $nothing)
  (export "portcullis:adapter/operations@0.1.0" (instance $nothing)))
