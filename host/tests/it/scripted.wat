;; A guest whose job is written by the test, in place of the line BODY. It may import everything. Layouts are those of the canonical ABI; 256:
;; where functions answer, 512: where exports do, from 1024: the test's data.
(module
  (import "splynx:addon/http@1.0.0" "send" (func $send (param i32 i32 i32)))
  (import "splynx:addon/storage@1.0.0" "get" (func $get (param i32 i32 i32 i32 i32)))
  (import "splynx:addon/storage@1.0.0" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "splynx:addon/storage@1.0.0" "commit" (func $commit (param i32 i32 i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "settings" (func $settings (param i32)))
  (import "splynx:addon/run@1.0.0" "set-fetched" (func $fetched (param i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "context" (func $context (param i32)))
  (import "splynx:addon/run@1.0.0" "now" (func $now (result i64)))
  (import "splynx:addon/run@1.0.0" "log" (func $log (param i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "progress" (func $progress (param i32 i32 i64 i64) (result i32)))
  (import "splynx:addon/run@1.0.0" "report" (func $report (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "finished")
  (data (i32.const 32) "company")
  (data (i32.const 48) "info")
  (data (i32.const 64) "table")
  (global $heap (mut i32) (i32.const 4096))
  ;; PARTS

  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    ;; ALLOCATING
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func $finished (result i32)
    (i32.store (i32.const 520) (i32.const 16))
    (i32.store (i32.const 524) (i32.const 8))
    (i32.const 512))

  ;; Ends with the failure that stands at an address.
  (func $failed (param $at i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 1))
    (memory.copy (i32.const 520) (local.get $at) (i32.const 40))
    (i32.const 512))

  (func (export "splynx:addon/addon@1.0.0#run-job") (param i32 i32 i32 i32 i32) (result i32)
    (local $n i32)
    ;; BODY
    (call $finished))

  ;; Nothing is found, known or done.
  (func (export "splynx:addon/addon@1.0.0#check") (result i32) (i32.const 512))
  (func (export "splynx:addon/addon@1.0.0#choices") (param i32 i32) (result i32) (i32.const 512))
  (func (export "splynx:addon/addon@1.0.0#view") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 512))
  (func (export "splynx:addon/addon@1.0.0#act") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 512))
  (func (export "splynx:addon/addon@1.0.0#migrate") (param $from i32) (result i32)
    (i32.store (i32.const 520) (local.get $from))
    (i32.const 512)))
