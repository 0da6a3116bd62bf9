;; Sends 16,384 header fields, all of them with the one value of 64 KiB that there is: 1 GiB for whoever copies it.
(module
  (import "portcullis:adapter/http@0.1.0" "send"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 5)
  ;; The descriptor at 2048: name, version and description, no slots, no routes, one operation (at 2304), `attack`,
  ;; which takes and returns anything. Texts are at 4096, the config's schema among them, told of at 2576. `invoke`
  ;; answers with `true`, at 2560.
  (data (i32.const 2048)
    "\00\00\00\00\00\00\00\00\00\10\00\00\13\00\00\00\13\10\00\00\05\00\00\00\18\10\00\00\12\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\09\00\00\01\00\00\00")
  (data (i32.const 2304)
    "\3b\10\00\00\06\00\00\00\41\10\00\00\08\00\00\00\00\00\00\00\49\10\00\00\04\00\00\00\49\10\00\00\04\00\00\00\00\00\00\00"
    "\00\00\00\00")
  (data (i32.const 2560) "\00\00\00\00\00\00\00\00\49\10\00\00\04\00\00\00")
  (data (i32.const 2576) "\2a\10\00\00\11\00\00\00")
  (data (i32.const 4096)
    "hostile-shared-list0.1.0A guest for tests.{\"type\":\"object\"}attackAttacks.true")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 32768))
  (func (export "portcullis:adapter/operations@0.1.0#config-schema") (result i32)
    (i32.const 2576))
  (func (export "portcullis:adapter/operations@0.1.0#describe") (param i32 i32) (result i32)
    (i32.const 2048))
  (func (export "portcullis:adapter/operations@0.1.0#invoke")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.const 65536))
    (loop $next
      ;; Name at 4096, one byte; value at 0, 65,535 bytes.
      (i32.store (local.get $at) (i32.const 4096))
      (i32.store offset=4 (local.get $at) (i32.const 1))
      (i32.store offset=8 (local.get $at) (i32.const 0))
      (i32.store offset=12 (local.get $at) (i32.const 65535))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 327680))))
    ;; GET, the URL is the name; headers; no body; no credential; the answer goes to 8192.
    (call $send (i32.const 0) (i32.const 4096) (i32.const 14) (i32.const 65536) (i32.const 16384)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8192))
    (i32.const 2560))
)
