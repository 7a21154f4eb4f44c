;; A guest that asks for everything it may ask for, repeats what it was told wherever it may, and gives its whole memory away.
;;
;; A job sends to the path of its own name over each of three connections. What comes back it logs, stores, tells as an activity and
;; reports. Then it posts its memory in hexadecimal to the connection `dump`: `cabi_realloc` never takes anything back, so
;; all that ever crossed the border to it is there. A job that begins with t traps, one with f fails, in what was told.
(module
  (import "splynx:addon/http@1.0.0" "send" (func $send (param i32 i32 i32)))
  (import "splynx:addon/storage@1.0.0" "commit" (func $commit (param i32 i32 i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "settings" (func $settings (param i32)))
  (import "splynx:addon/run@1.0.0" "context" (func $context (param i32)))
  (import "splynx:addon/run@1.0.0" "log" (func $log (param i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "report" (func $report (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)

  (data (i32.const 16) "basic")
  (data (i32.const 24) "token")
  (data (i32.const 32) "signs")
  (data (i32.const 40) "dump")
  (data (i32.const 48) "read")
  (data (i32.const 56) "GET")
  (data (i32.const 64) "write")
  (data (i32.const 72) "POST")
  (data (i32.const 80) "info")
  (data (i32.const 88) "plan")
  (data (i32.const 96) "told")
  (data (i32.const 104) "finished")
  (data (i32.const 112) "0123456789abcdef")
  ;; A request whose connection and path are filled in, and the one that gives the memory away.
  (data (i32.const 256)
    "\10\00\00\00\05\00\00\00" "\30\00\00\00\04\00\00\00" "\38\00\00\00\03\00\00\00" "\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 320)
    "\28\00\00\00\04\00\00\00" "\40\00\00\00\05\00\00\00" "\48\00\00\00\04\00\00\00" "\28\00\00\00\04\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  ;; 400: a change of `told` at `told`; 440: an activity; 520: a report's row with one cell, at 552.
  (data (i32.const 400) "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00" "\01\00\00\00\00\00\00\00\00\00\00\00")
  (data (i32.const 440)
    "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00"
    "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00" "\60\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 520) "\60\00\00\00\04\00\00\00" "\28\02\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")

  ;; 640: what an export answers. 768: where imports answer.
  (global $heap (mut i32) (i32.const 4096))
  ;; What was told last.
  (global $text (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))

  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $room
      (br_if $room (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (local.get $at))

  ;; Sends over a connection, and takes the answer's body, or the reason why there is none, as what was told.
  (func $ask (param $connection i32)
    (local $answer i32)
    (i32.store (i32.const 256) (local.get $connection))
    (call $send (i32.const 256) (i32.const 1) (i32.const 768))
    (local.set $answer (i32.load (i32.const 768)))
    (if (i32.load8_u (local.get $answer))
      (then (local.set $answer (i32.add (local.get $answer) (i32.const 24))))
      (else (local.set $answer (i32.add (local.get $answer) (i32.const 20)))))
    (global.set $text (i32.load (local.get $answer)))
    (global.set $length (i32.load (i32.add (local.get $answer) (i32.const 4))))
    (call $tell))

  ;; Repeats what was told wherever a guest can leave a text.
  (func $tell
    (call $log (i32.const 80) (i32.const 4) (global.get $text) (global.get $length))
    (i32.store (i32.const 420) (global.get $text))
    (i32.store (i32.const 424) (global.get $length))
    (i32.store (i32.const 496) (global.get $text))
    (i32.store (i32.const 500) (global.get $length))
    (i32.store (i32.const 552) (global.get $text))
    (i32.store (i32.const 556) (global.get $length))
    (call $commit (i32.const 0) (i32.const 0) (i32.const 400) (i32.const 1) (i32.const 440) (i32.const 1) (i32.const 776))
    (call $report (i32.const 88) (i32.const 4) (i32.const 520) (i32.const 1) (i32.const 776)))

  (func $give
    (local $from i32) (local $to i32) (local $end i32)
    (local.set $end (global.get $heap))
    (local.set $to (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.shl (local.get $end) (i32.const 1))))
    (i32.store (i32.const 368) (local.get $to))
    (i32.store (i32.const 372) (i32.shl (local.get $end) (i32.const 1)))
    (loop $on
      (i32.store8 (local.get $to)
        (i32.load8_u (i32.add (i32.const 112) (i32.shr_u (i32.load8_u (local.get $from)) (i32.const 4)))))
      (i32.store8 (i32.add (local.get $to) (i32.const 1))
        (i32.load8_u (i32.add (i32.const 112) (i32.and (i32.load8_u (local.get $from)) (i32.const 15)))))
      (local.set $to (i32.add (local.get $to) (i32.const 2)))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br_if $on (i32.lt_u (local.get $from) (local.get $end))))
    (call $send (i32.const 320) (i32.const 1) (i32.const 784)))

  (func (export "splynx:addon/addon@1.0.0#run-job")
    (param $job i32) (param $size i32) (param $preview i32) (param $options i32) (param $amount i32) (result i32)
    (call $settings (i32.const 768))
    (call $context (i32.const 768))
    (i32.store (i32.const 280) (local.get $job))
    (i32.store (i32.const 284) (local.get $size))
    (call $ask (i32.const 16))
    (call $ask (i32.const 24))
    (call $ask (i32.const 32))
    (call $give)
    (if (i32.eq (i32.load8_u (local.get $job)) (i32.const 0x74)) (then unreachable))
    (if (i32.eq (i32.load8_u (local.get $job)) (i32.const 0x66))
      (then
        (i32.store8 (i32.const 640) (i32.const 1))
        (i32.store (i32.const 648) (i32.const 96))
        (i32.store (i32.const 652) (i32.const 4))
        (i32.store (i32.const 656) (global.get $text))
        (i32.store (i32.const 660) (global.get $length))
        (return (i32.const 640))))
    (i32.store (i32.const 648) (i32.const 104))
    (i32.store (i32.const 652) (i32.const 8))
    (i32.const 640))

  ;; Nothing to find, to choose from, to show.
  (func (export "splynx:addon/addon@1.0.0#check") (result i32) (i32.const 640))
  (func (export "splynx:addon/addon@1.0.0#choices") (param i32 i32) (result i32) (i32.const 640))
  (func (export "splynx:addon/addon@1.0.0#view") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 640))
  (func (export "splynx:addon/addon@1.0.0#act") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 640))
  (func (export "splynx:addon/addon@1.0.0#migrate") (param $from i32) (result i32)
    (i32.store (i32.const 648) (i32.add (local.get $from) (i32.const 1)))
    (i32.const 640)))
