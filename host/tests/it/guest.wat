;; A guest that does what its job is called: the host's own behaviour, good and bad, without any add-on.
;;
;; By the job's first letter: f(inish), e(ndless loop), h(oard memory), b(reak), g(et), w(rite), c(ommit), p(rogress until
;; told to stop), o(bstinate: goes on all the same), l(og a thousand lines), n(ap: ends paused). Layouts are those of the canonical ABI.
(module
  (import "splynx:addon/http@1.0.0" "send" (func $send (param i32 i32 i32)))
  (import "splynx:addon/storage@1.0.0" "commit" (func $commit (param i32 i32 i32 i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "progress" (func $progress (param i32 i32 i64 i64) (result i32)))
  (import "splynx:addon/run@1.0.0" "log" (func $log (param i32 i32 i32 i32)))
  (import "splynx:addon/run@1.0.0" "set-fetched" (func $fetched (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)

  (data (i32.const 16) "books")
  (data (i32.const 32) "read")
  (data (i32.const 40) "write")
  (data (i32.const 48) "GET")
  (data (i32.const 56) "POST")
  (data (i32.const 64) "items")
  (data (i32.const 80) "finished")
  (data (i32.const 96) "stopped")
  (data (i32.const 104) "paused")
  (data (i32.const 112) "status")
  (data (i32.const 128) "info")
  (data (i32.const 136) "{}")
  (data (i32.const 144) "t")
  (data (i32.const 146) "k")
  (data (i32.const 148) "v")
  (data (i32.const 160) "company")
  (data (i32.const 176) "41001")
  (data (i32.const 192) "working")
  (data (i32.const 208) "done")
  ;; Two requests: connection, effect, method, path, query, headers, body, options.
  (data (i32.const 256)
    "\10\00\00\00\05\00\00\00" "\20\00\00\00\04\00\00\00" "\30\00\00\00\03\00\00\00" "\40\00\00\00\05\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 320)
    "\10\00\00\00\05\00\00\00" "\28\00\00\00\05\00\00\00" "\38\00\00\00\04\00\00\00" "\40\00\00\00\05\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\88\00\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
  ;; A change: table, key, some value.
  (data (i32.const 400) "\90\00\00\00\01\00\00\00" "\92\00\00\00\01\00\00\00" "\01\00\00\00\94\00\00\00\01\00\00\00")
  ;; A count: its name, and a number that is filled in.
  (data (i32.const 800) "\70\00\00\00\06\00\00\00")

  ;; 512: what an export answers. 640: where `send` answers. 704: where `commit` and `set-fetched` answer.
  (global $heap (mut i32) (i32.const 4096))

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $room
      (br_if $room (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (local.get $at))

  ;; Answers ok, with the outcome's state.
  (func $outcome (param $state i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 520) (local.get $state))
    (i32.store (i32.const 524) (local.get $length))
    (i32.const 512))

  ;; Answers the failure that stands there.
  (func $failure (param $at i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 1))
    (memory.copy (i32.const 520) (local.get $at) (i32.const 40))
    (i32.const 512))

  ;; Sends one request, logs the answer's body, and answers its status as a count, or why there is none.
  (func $exchange (param $request i32) (result i32)
    (local $answer i32)
    (call $send (local.get $request) (i32.const 1) (i32.const 640))
    (local.set $answer (i32.load (i32.const 640)))
    (if (i32.load8_u (local.get $answer))
      (then (return (call $failure (i32.add (local.get $answer) (i32.const 16))))))
    (call $log (i32.const 128) (i32.const 4)
      (i32.load (i32.add (local.get $answer) (i32.const 20))) (i32.load (i32.add (local.get $answer) (i32.const 24))))
    (i64.store (i32.const 808) (i64.load16_u (i32.add (local.get $answer) (i32.const 8))))
    (i32.store (i32.const 592) (i32.const 800))
    (i32.store (i32.const 596) (i32.const 1))
    (call $outcome (i32.const 80) (i32.const 8)))

  (func $store (result i32)
    (call $commit (i32.const 0) (i32.const 0) (i32.const 400) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 704))
    (if (i32.load8_u (i32.const 704)) (then (return (call $failure (i32.const 712)))))
    (call $outcome (i32.const 80) (i32.const 8)))

  (func (export "splynx:addon/addon@1.0.0#run-job")
    (param $job i32) (param $length i32) (param $preview i32) (param $options i32) (param $amount i32) (result i32)
    (local $letter i32)
    (local.set $letter (i32.load8_u (local.get $job)))
    (if (i32.eq (local.get $letter) (i32.const 0x65)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $letter) (i32.const 0x68)) (then (loop $ever (drop (memory.grow (i32.const 16))) (br $ever))))
    (if (i32.eq (local.get $letter) (i32.const 0x62)) (then unreachable))
    (if (i32.eq (local.get $letter) (i32.const 0x67)) (then (return (call $exchange (i32.const 256)))))
    (if (i32.eq (local.get $letter) (i32.const 0x77)) (then (return (call $exchange (i32.const 320)))))
    (if (i32.eq (local.get $letter) (i32.const 0x63)) (then (return (call $store))))
    (if (i32.eq (local.get $letter) (i32.const 0x70))
      (then
        (loop $on (br_if $on (call $progress (i32.const 192) (i32.const 7) (i64.const 1) (i64.const 3))))
        (return (call $outcome (i32.const 96) (i32.const 7)))))
    (if (i32.eq (local.get $letter) (i32.const 0x6e)) (then (return (call $outcome (i32.const 104) (i32.const 6)))))
    (if (i32.eq (local.get $letter) (i32.const 0x6f))
      (then (loop $on (drop (call $progress (i32.const 192) (i32.const 7) (i64.const 1) (i64.const 3))) (br $on))))
    (if (i32.eq (local.get $letter) (i32.const 0x6c))
      (then
        (local.set $amount (i32.const 1000))
        (loop $on
          (call $log (i32.const 128) (i32.const 4) (i32.const 192) (i32.const 7))
          (br_if $on (local.tee $amount (i32.sub (local.get $amount) (i32.const 1)))))))
    (call $outcome (i32.const 80) (i32.const 8)))

  ;; Stores a fetched setting, and finds nothing.
  (func (export "splynx:addon/addon@1.0.0#check") (result i32)
    (call $fetched (i32.const 160) (i32.const 7) (i32.const 176) (i32.const 5) (i32.const 704))
    (if (i32.load8_u (i32.const 704)) (then (return (call $failure (i32.const 712)))))
    (call $outcome (i32.const 0) (i32.const 0)))

  ;; These try what they must not do.
  (func (export "splynx:addon/addon@1.0.0#choices") (param i32 i32) (result i32) (call $store))
  (func (export "splynx:addon/addon@1.0.0#view") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $exchange (i32.const 256)))

  (func (export "splynx:addon/addon@1.0.0#act") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (if (i32.load8_u (call $store)) (then (return (i32.const 512))))
    (call $outcome (i32.const 208) (i32.const 4)))

  (func (export "splynx:addon/addon@1.0.0#migrate") (param $from i32) (result i32)
    (call $outcome (i32.add (local.get $from) (i32.const 1)) (i32.const 0))))
