;; Hands out what `speaker.rs` has laid out in its memory. Names in capitals are addresses of whole answers.
(module
  (import "splynx:addon/storage@1.0.0" "commit" (func $commit (param i32 i32 i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "set-fetched" (func $fetched (param i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "log" (func $log (param i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "progress" (func $progress (param i32 i32 i64 i64) (result i32)))
  (import "splynx:addon/run@1.0.0" "report" (func $report (param i32 i32 i32 i32 i32)))
  (memory (export "memory") $PAGES)
  (global $heap (mut i32) (i32.const $HEAP))
  (global $stage (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))
  ;; DATA

  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func (export "splynx:addon/addon@1.0.0#run-job") (param $job i32) (param i32 i32 i32 i32) (result i32)
    (local $letter i32)
    ;; ACTING
    (local.set $letter (i32.load8_u (local.get $job)))
    (if (i32.eq (local.get $letter) (i32.const 0x6c))
      (then
        (loop $on (br_if $on (call $progress (global.get $stage) (global.get $length) (i64.const 1) (i64.const 3))))
        (return $STOPPED)))
    (if (i32.eq (local.get $letter) (i32.const 0x65)) (then (return $FAILED)))
    (if (i32.eq (local.get $letter) (i32.const 0x70)) (then (return $PAUSED)))
    (if (i32.eq (local.get $letter) (i32.const 0x63)) (then (return $STRANGE)))
    $FINISHED)

  (func (export "splynx:addon/addon@1.0.0#check") (result i32) $CHECK)
  (func (export "splynx:addon/addon@1.0.0#choices") (param i32 i32) (result i32) $CHOICES)
  ;; A page that begins with `f` has a chart.
  (func (export "splynx:addon/addon@1.0.0#view") (param $page i32) (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $page)) (i32.const 0x66)) (then (return $CHARTED)))
    $VIEW)
  ;; An act that begins with `d` is done, others are refused.
  (func (export "splynx:addon/addon@1.0.0#act") (param i32 i32) (param $act i32) (param i32 i32 i32 i32 i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $act)) (i32.const 0x64)) (then (return $DONE)))
    $REFUSED)
  (func (export "splynx:addon/addon@1.0.0#migrate") (param $from i32) (result i32) $FINISHED))
