;; Its config's schema applies itself to the same value for ever: whoever validates with it never comes back.
(module
  (memory (export "memory") 1)
  ;; The text of 12 bytes is at 56, told of at 48.
  (data (i32.const 48) "\38\00\00\00\0c\00\00\00{\"$ref\":\"#\"}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 1024))
  (func (export "portcullis:adapter/operations@0.1.0#config-schema") (result i32)
    (i32.const 48))
  (func (export "portcullis:adapter/operations@0.1.0#describe") (param i32 i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.const 16))
  (func (export "portcullis:adapter/operations@0.1.0#invoke")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.const 16))
)
