;; Sends with the method of number 7: there are seven, and TRACE and CONNECT are not among them.
(module
  (import "portcullis:adapter/http@0.1.0" "send"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  ;; The descriptor at 2048: name, version and description, no slots, no routes, one operation (at 2304), `attack`,
  ;; which takes and returns anything. Texts are at 4096, the config's schema among them, told of at 2576. `invoke`
  ;; answers with `true`, at 2560.
  (data (i32.const 2048)
    "\00\00\00\00\00\00\00\00\00\10\00\00\15\00\00\00\15\10\00\00\05\00\00\00\1a\10\00\00\12\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\09\00\00\01\00\00\00")
  (data (i32.const 2304)
    "\3d\10\00\00\06\00\00\00\43\10\00\00\08\00\00\00\00\00\00\00\4b\10\00\00\04\00\00\00\4b\10\00\00\04\00\00\00\00\00\00\00"
    "\00\00\00\00")
  (data (i32.const 2560) "\00\00\00\00\00\00\00\00\4b\10\00\00\04\00\00\00")
  (data (i32.const 2576) "\2c\10\00\00\11\00\00\00")
  (data (i32.const 4096)
    "hostile-forged-method0.1.0A guest for tests.{\"type\":\"object\"}attackAttacks.true")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 32768))
  (func (export "portcullis:adapter/operations@0.1.0#config-schema") (result i32)
    (i32.const 2576))
  (func (export "portcullis:adapter/operations@0.1.0#describe") (param i32 i32) (result i32)
    (i32.const 2048))
  (func (export "portcullis:adapter/operations@0.1.0#invoke")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    ;; The URL is the name; no headers, body or credential; the answer goes to 8192.
    (call $send (i32.const 7) (i32.const 4096) (i32.const 14) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8192))
    (i32.const 2560))
)
