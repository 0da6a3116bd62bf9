;; Describes itself, and never comes out of making room for the name of its operation, which has six bytes.
(module
  (memory (export "memory") 1)
  ;; The descriptor at 2048: name, version and description, no slots, no routes, one operation (at 2304), `attack`,
  ;; which takes and returns anything. Texts are at 4096, the config's schema among them, told of at 2576. `invoke`
  ;; answers with `true`, at 2560.
  (data (i32.const 2048)
    "\00\00\00\00\00\00\00\00\00\10\00\00\18\00\00\00\18\10\00\00\05\00\00\00\1d\10\00\00\12\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\09\00\00\01\00\00\00")
  (data (i32.const 2304)
    "\40\10\00\00\06\00\00\00\46\10\00\00\08\00\00\00\00\00\00\00\4e\10\00\00\04\00\00\00\4e\10\00\00\04\00\00\00\00\00\00\00"
    "\00\00\00\00")
  (data (i32.const 2560) "\00\00\00\00\00\00\00\00\4e\10\00\00\04\00\00\00")
  (data (i32.const 2576) "\2f\10\00\00\11\00\00\00")
  (data (i32.const 4096)
    "hostile-loop-in-argument0.1.0A guest for tests.{\"type\":\"object\"}attackAttacks.true")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.eq (local.get 3) (i32.const 6)) (then (loop $again (br $again))))
    (i32.const 32768))
  (func (export "portcullis:adapter/operations@0.1.0#config-schema") (result i32)
    (i32.const 2576))
  (func (export "portcullis:adapter/operations@0.1.0#describe") (param i32 i32) (result i32)
    (i32.const 2048))
  (func (export "portcullis:adapter/operations@0.1.0#invoke")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 2560))
)
