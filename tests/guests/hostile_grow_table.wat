;; Grows a table beyond its bound before anything else.
(module
  (memory (export "memory") 1)
  (table 1 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 1024))
  ;; Any config is right: a schema of two bytes, told of at 48.
  (data (i32.const 48) "\38\00\00\00\02\00\00\00{}")
  (func (export "portcullis:adapter/operations@0.1.0#config-schema") (result i32)
    (i32.const 48))
  ;; Both operations answer with an error of an empty name: discriminant 1, then zeros.
  (func (export "portcullis:adapter/operations@0.1.0#describe") (param i32 i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.const 16))
  (func (export "portcullis:adapter/operations@0.1.0#invoke")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.const 16))
  (func $start
    (drop (table.grow 0 (ref.null func) (i32.const 1000000))))
  (start $start)
)
