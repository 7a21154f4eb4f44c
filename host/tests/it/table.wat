;; A guest that shows what the host hands to it: rows of pages, answers of acts, options of jobs, lists, findings.
;;
;; `view` answers the search and the filters as one row where a text is searched for, else two pages of rows. `act` answers
;; everything that it was given; the act `no` is refused. `run-job` logs its options and counts their bytes; a job that begins
;; with n naps (ends paused).
;; `choices` knows `items` and `categories`, and what `own/r1` has. `check` finds something about `item.5`. Layouts are those of the canonical ABI.
(module
  (import "splynx:addon/run@1.0.0" "log" (func $log (param i32 i32 i32 i32)))
  (memory (export "memory") 2)

  (data (i32.const 16) "info")
  (data (i32.const 24) "finished")
  (data (i32.const 32) "paused")
  (data (i32.const 40) "p2")
  (data (i32.const 48) "warning")
  (data (i32.const 56) "item.5")
  (data (i32.const 64) "Internet is mapped oddly.")
  (data (i32.const 96) "refused")
  (data (i32.const 104) "Not today.")
  (data (i32.const 120) "code")
  (data (i32.const 128) "customer-id")
  (data (i32.const 140) "88")
  (data (i32.const 144) "r1")
  (data (i32.const 146) "r2")
  (data (i32.const 148) "r3")
  (data (i32.const 152) "=1+1")
  (data (i32.const 160) "<b>held</b>")
  (data (i32.const 176) "-12.50")
  (data (i32.const 184) "Zo\c3\ab, \22Z\22")
  (data (i32.const 200) "1001")
  (data (i32.const 204) "Fibre")
  (data (i32.const 212) "1002")
  (data (i32.const 216) "Voice")
  (data (i32.const 224) "5")
  (data (i32.const 228) "Internet")
  (data (i32.const 240) "bytes")
  ;; 640: a count: its name, and a number that is filled in.
  (data (i32.const 640) "\f0\00\00\00\05\00\00\00")
  ;; 256: the choices `items`, 288: `categories`.
  (data (i32.const 256)
    "\c8\00\00\00\04\00\00\00" "\cc\00\00\00\05\00\00\00" "\d4\00\00\00\04\00\00\00" "\d8\00\00\00\05\00\00\00")
  (data (i32.const 288) "\e0\00\00\00\01\00\00\00" "\e4\00\00\00\08\00\00\00")
  ;; 320: cells of the first row, 336: of the second, 352: of the third; 368: the customer of the first.
  (data (i32.const 320) "\98\00\00\00\04\00\00\00" "\a0\00\00\00\0b\00\00\00")
  (data (i32.const 336) "\b8\00\00\00\09\00\00\00" "\b0\00\00\00\06\00\00\00")
  (data (i32.const 352) "\a0\00\00\00\0b\00\00\00" "\98\00\00\00\04\00\00\00")
  (data (i32.const 368) "\80\00\00\00\0b\00\00\00" "\8c\00\00\00\02\00\00\00")
  ;; 384: two rows, 432: the third. Id, cells, more.
  (data (i32.const 384)
    "\90\00\00\00\02\00\00\00" "\40\01\00\00\02\00\00\00" "\70\01\00\00\01\00\00\00"
    "\92\00\00\00\02\00\00\00" "\50\01\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 432) "\94\00\00\00\02\00\00\00" "\60\01\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
  ;; 460: one finding: code, severity, message, cure, field, more.
  (data (i32.const 460)
    "\78\00\00\00\04\00\00\00" "\30\00\00\00\07\00\00\00" "\40\00\00\00\19\00\00\00" "\00\00\00\00\00\00\00\00"
    "\38\00\00\00\06\00\00\00" "\00\00\00\00\00\00\00\00")

  ;; 512: what an export answers. 600: a row that is put together, its cells at 632.
  (global $heap (mut i32) (i32.const 4096))
  (global $text (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))

  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $room
      (br_if $room (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (local.get $at))

  ;; Begins a text, and adds to it.
  (func $begin (param $room i32)
    (global.set $text (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $room)))
    (global.set $end (global.get $text)))
  (func $put (param $at i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $at) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))
  (func $byte (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  ;; Adds " name=value" for each pair.
  (func $pairs (param $pairs i32) (param $amount i32)
    (block $done
      (loop $on
        (br_if $done (i32.eqz (local.get $amount)))
        (call $byte (i32.const 32))
        (call $put (i32.load (local.get $pairs)) (i32.load offset=4 (local.get $pairs)))
        (call $byte (i32.const 61))
        (call $put (i32.load offset=8 (local.get $pairs)) (i32.load offset=12 (local.get $pairs)))
        (local.set $pairs (i32.add (local.get $pairs) (i32.const 16)))
        (local.set $amount (i32.sub (local.get $amount) (i32.const 1)))
        (br $on))))

  ;; Answers ok with a list, or with a text.
  (func $ok (param $at i32) (param $length i32) (result i32)
    (memory.fill (i32.const 512) (i32.const 0) (i32.const 88))
    (i32.store (i32.const 520) (local.get $at))
    (i32.store (i32.const 524) (local.get $length))
    (i32.const 512))
  (func $refuse (result i32)
    (drop (call $ok (i32.const 96) (i32.const 7)))
    (i32.store8 (i32.const 512) (i32.const 1))
    (i32.store (i32.const 528) (i32.const 104))
    (i32.store (i32.const 532) (i32.const 10))
    (i32.const 512))

  (func (export "splynx:addon/addon@1.0.0#run-job")
    (param $job i32) (param $length i32) (param $preview i32) (param $options i32) (param $amount i32) (result i32)
    (call $begin (i32.const 5000000))
    (call $pairs (local.get $options) (local.get $amount))
    (call $log (i32.const 16) (i32.const 4) (global.get $text) (i32.sub (global.get $end) (global.get $text)))
    (if (i32.eq (i32.load8_u (local.get $job)) (i32.const 0x6e))
      (then (drop (call $ok (i32.const 32) (i32.const 6))))
      (else (drop (call $ok (i32.const 24) (i32.const 8)))))
    (i64.store (i32.const 648) (i64.extend_i32_u (i32.sub (global.get $end) (global.get $text))))
    (i32.store (i32.const 592) (i32.const 640))
    (i32.store (i32.const 596) (i32.const 1))
    (i32.const 512))

  (func (export "splynx:addon/addon@1.0.0#check") (result i32) (call $ok (i32.const 460) (i32.const 1)))

  (func (export "splynx:addon/addon@1.0.0#choices") (param $source i32) (param $length i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $source)) (i32.const 0x69)) (then (return (call $ok (i32.const 256) (i32.const 2)))))
    (if (i32.eq (i32.load8_u (local.get $source)) (i32.const 0x63)) (then (return (call $ok (i32.const 288) (i32.const 1)))))
    (if (i32.eq (i32.load8_u (local.get $source)) (i32.const 0x6f))
      (then (if (i32.eq (local.get $length) (i32.const 6)) (then (return (call $ok (i32.const 256) (i32.const 2)))))))
    (call $refuse))

  (func (export "splynx:addon/addon@1.0.0#view")
    (param $page i32) (param $page_length i32) (param $search i32) (param $search_length i32) (param $filters i32)
    (param $filters_amount i32) (param $sort i32) (param $sort_length i32) (param $after i32) (param $after_length i32)
    (param $limit i32) (result i32)
    (if (local.get $search_length)
      (then
        (call $begin (i32.const 8192))
        (call $put (local.get $search) (local.get $search_length))
        (call $pairs (local.get $filters) (local.get $filters_amount))
        (memory.fill (i32.const 600) (i32.const 0) (i32.const 24))
        (i32.store (i32.const 600) (i32.const 144))
        (i32.store (i32.const 604) (i32.const 2))
        (i32.store (i32.const 608) (i32.const 632))
        (i32.store (i32.const 612) (i32.const 1))
        (i32.store (i32.const 632) (global.get $text))
        (i32.store (i32.const 636) (i32.sub (global.get $end) (global.get $text)))
        (return (call $ok (i32.const 600) (i32.const 1)))))
    (if (local.get $after_length) (then (return (call $ok (i32.const 432) (i32.const 1)))))
    (drop (call $ok (i32.const 384) (i32.const 2)))
    (i32.store (i32.const 528) (i32.const 40))
    (i32.store (i32.const 532) (i32.const 2))
    (i32.const 512))

  (func (export "splynx:addon/addon@1.0.0#act")
    (param $page i32) (param $page_length i32) (param $act i32) (param $act_length i32) (param $rows i32) (param $rows_amount i32)
    (param $values i32) (param $values_amount i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $act)) (i32.const 0x6e)) (then (return (call $refuse))))
    (call $begin (i32.const 8192))
    (call $put (local.get $page) (local.get $page_length))
    (call $byte (i32.const 47))
    (call $put (local.get $act) (local.get $act_length))
    (block $done
      (loop $on
        (br_if $done (i32.eqz (local.get $rows_amount)))
        (call $byte (i32.const 32))
        (call $put (i32.load (local.get $rows)) (i32.load offset=4 (local.get $rows)))
        (local.set $rows (i32.add (local.get $rows) (i32.const 8)))
        (local.set $rows_amount (i32.sub (local.get $rows_amount) (i32.const 1)))
        (br $on)))
    (call $pairs (local.get $values) (local.get $values_amount))
    (call $ok (global.get $text) (i32.sub (global.get $end) (global.get $text))))

  (func (export "splynx:addon/addon@1.0.0#migrate") (param $from i32) (result i32)
    (call $ok (i32.add (local.get $from) (i32.const 1)) (i32.const 0))))
