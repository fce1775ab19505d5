// Programs that allocate far more than the heap may hold, each also with a collection at every few allocations.
#include "tests/support/process.h"
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

struct Pressure {
  uint64_t heapBytes;
  uint32_t stress;
};

class GcProgram : public ::testing::TestWithParam<Pressure> {
 protected:
  Instance make(std::string_view text, std::vector<Extern> imports = {}) {
    return instantiate(store, engine, text, std::move(imports));
  }
  // Fewer rounds where every allocation is slow, still fewer where every load of the collector is.
  int rounds(int n) const { return GetParam().stress ? n / (process::kSanitized ? 4000 : 200) + 1 : n; }
  Engine engine;
  Store store{engine, {.maxGcHeapBytes = GetParam().heapBytes, .gcStress = GetParam().stress}};
};

INSTANTIATE_TEST_SUITE_P(Pressures, GcProgram,
                         ::testing::Values(Pressure{1 << 20, 0}, Pressure{16 << 20, 0}, Pressure{4 << 20, 1},
                                           Pressure{4 << 20, 7}),
                         [](const auto& p) {
                           return std::to_string(p.param.heapBytes >> 20) + "MiB" +
                                  (p.param.stress ? "Stress" + std::to_string(p.param.stress) : "");
                         });

// Each round builds a list of 1000 cells (24 KB) and drops it.
TEST_P(GcProgram, ShortLivedLists) {
  auto i = make(R"((module
    (type $cell (struct (field $value i32) (field $next (ref null $cell))))
    (func $build (param $n i32) (result (ref null $cell)) (local $list (ref null $cell))
      (loop $more
        (local.set $list (struct.new $cell (local.get $n) (local.get $list)))
        (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $list))
    (func $sum (param $list (ref null $cell)) (result i32) (local $s i32)
      (block $done (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $s (i32.add (local.get $s) (struct.get $cell $value (local.get $list))))
        (local.set $list (struct.get $cell $next (local.get $list)))
        (br $more)))
      (local.get $s))
    (func (export "run") (param $rounds i32) (result i32) (local $bad i32)
      (loop $more
        (if (i32.ne (call $sum (call $build (i32.const 1000))) (i32.const 500500))
          (then (local.set $bad (i32.add (local.get $bad) (i32.const 1)))))
        (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (local.get $bad))))");
  EXPECT_EQ(callI32(i, "run", {rounds(20000)}), 0);
}

// Trees held by nothing but operands on the stack of a deep recursion.
TEST_P(GcProgram, TreesOnTheStack) {
  auto i = make(R"((module
    (type $node (struct (field $left (ref null $node)) (field $right (ref null $node))))
    (func $build (param $depth i32) (result (ref null $node))
      (if (result (ref null $node)) (i32.eqz (local.get $depth))
        (then (struct.new_default $node))
        (else (struct.new $node
          (call $build (i32.sub (local.get $depth) (i32.const 1)))
          (call $build (i32.sub (local.get $depth) (i32.const 1)))))))
    (func $count (param $n (ref null $node)) (result i32)
      (if (result i32) (ref.is_null (local.get $n)) (then (i32.const 0))
        (else (i32.add (i32.const 1) (i32.add
          (call $count (struct.get $node $left (local.get $n)))
          (call $count (struct.get $node $right (local.get $n))))))))
    (global $kept (mut (ref null $node)) (ref.null $node))
    (func (export "run") (param $rounds i32) (result i32) (local $bad i32)
      (global.set $kept (call $build (i32.const 11)))
      (loop $more
        (if (i32.ne (call $count (call $build (i32.const 10))) (i32.const 2047))
          (then (local.set $bad (i32.add (local.get $bad) (i32.const 1)))))
        (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (i32.add (local.get $bad) (i32.sub (call $count (global.get $kept)) (i32.const 4095))))))");
  EXPECT_EQ(callI32(i, "run", {rounds(5000)}), 0);
}

// A map with chains, long-lived, of which entries are replaced over and over: live and dead objects share lines.
TEST_P(GcProgram, LongLivedMap) {
  auto i = make(R"((module
    (type $box (struct (field i64)))
    (type $entry (struct (field $key i32) (field $value (mut (ref null $box))) (field $next (ref null $entry))))
    (type $buckets (array (mut (ref null $entry))))
    (global $map (mut (ref null $buckets)) (ref.null $buckets))
    (func $find (param $key i32) (result (ref null $entry)) (local $e (ref null $entry))
      (local.set $e (array.get $buckets (global.get $map) (i32.and (local.get $key) (i32.const 255))))
      (block $done (loop $more
        (br_if $done (ref.is_null (local.get $e)))
        (br_if $done (i32.eq (struct.get $entry $key (local.get $e)) (local.get $key)))
        (local.set $e (struct.get $entry $next (local.get $e)))
        (br $more)))
      (local.get $e))
    (func $put (param $key i32) (param $value (ref $box)) (local $e (ref null $entry))
      (if (ref.is_null (local.tee $e (call $find (local.get $key))))
        (then (array.set $buckets (global.get $map) (i32.and (local.get $key) (i32.const 255))
          (struct.new $entry (local.get $key) (local.get $value)
            (array.get $buckets (global.get $map) (i32.and (local.get $key) (i32.const 255))))))
        (else (struct.set $entry $value (local.get $e) (local.get $value)))))
    (func (export "run") (param $rounds i32) (result i32) (local $k i32) (local $bad i32)
      (global.set $map (array.new_default $buckets (i32.const 256)))
      (loop $again
        (local.set $k (i32.const 0))
        (loop $more
          (call $put (local.get $k) (struct.new $box (i64.extend_i32_u (i32.add (local.get $k) (local.get $rounds)))))
          (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 2000))))
        (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (local.set $k (i32.const 0))
      (loop $more
        (if (i64.ne (struct.get $box 0 (struct.get $entry $value (call $find (local.get $k))))
                    (i64.extend_i32_u (i32.add (local.get $k) (i32.const 1))))
          (then (local.set $bad (i32.add (local.get $bad) (i32.const 1)))))
        (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 2000))))
      (local.get $bad))))");
  EXPECT_EQ(callI32(i, "run", {rounds(5000)}), 0);
}

TEST_P(GcProgram, LargeAndMiddlingArrays) {
  auto i = make(R"((module
    (type $bytes (array (mut i8)))
    (type $keep (array (mut (ref null $bytes))))
    (func (export "run") (param $rounds i32) (result i32)
      (local $keep (ref $keep)) (local $a (ref $bytes)) (local $n i32) (local $bad i32)
      (local.set $keep (array.new_default $keep (i32.const 8)))
      (loop $more
        ;; 1 to 60000 bytes
        (local.set $n (i32.add (i32.const 1) (i32.rem_u (i32.mul (local.get $rounds) (i32.const 7919)) (i32.const 60000))))
        (local.set $a (array.new $bytes (local.get $rounds) (local.get $n)))
        (if (i32.ne (array.get_u $bytes (local.get $a) (i32.sub (local.get $n) (i32.const 1)))
                    (i32.and (local.get $rounds) (i32.const 255)))
          (then (local.set $bad (i32.add (local.get $bad) (i32.const 1)))))
        (array.set $keep (local.get $keep) (i32.and (local.get $rounds) (i32.const 7)) (local.get $a))
        (local.set $n (array.len (local.tee $a (array.new_default $bytes (local.get $n)))))
        (if (array.get_u $bytes (local.get $a) (i32.shr_u (local.get $n) (i32.const 1)))
          (then (local.set $bad (i32.add (local.get $bad) (i32.const 1)))))
        (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (local.get $bad))))");
  EXPECT_EQ(callI32(i, "run", {rounds(20000)}), 0);
}

// Cycles, and references held only in a table, across calls from the host.
TEST_P(GcProgram, CyclesAndTables) {
  auto i = make(R"((module
    (type $pair (struct (field $id (mut i32)) (field $other (mut (ref null $pair)))))
    (table $t 64 (ref null $pair))
    (func (export "put") (param $at i32) (param $id i32) (local $a (ref null $pair)) (local $b (ref null $pair))
      (local.set $a (struct.new $pair (local.get $id) (ref.null $pair)))
      (local.set $b (struct.new $pair (i32.add (local.get $id) (i32.const 1)) (local.get $a)))
      (struct.set $pair $other (local.get $a) (local.get $b))
      (table.set $t (local.get $at) (local.get $b)))
    (func (export "check") (param $at i32) (result i32) (local $b (ref null $pair))
      (local.set $b (table.get $t (local.get $at)))
      (if (result i32) (ref.eq (local.get $b)
          (struct.get $pair $other (struct.get $pair $other (local.get $b))))
        (then (struct.get $pair $id (struct.get $pair $other (local.get $b))))
        (else (i32.const -1))))))");
  auto put = *i.func("put");
  const int n = rounds(100000);
  for (int k = 0; k < n; ++k) ASSERT_TRUE(put.call({k % 64, k}));
  for (int k = std::max(0, n - 64); k < n; ++k) EXPECT_EQ(callI32(i, "check", {k % 64}), k);
}

// References in pinned locals, spilled operands and arguments while callees allocate; fields of every width beside
// them.
TEST_P(GcProgram, RegistersAcrossAllocations) {
  auto i = make(R"((module
    (type $t (struct (field i8) (field i16) (field i32) (field i64) (field f32) (field f64) (field v128) (field funcref)
                     (field (ref null $t)) (field anyref) (field externref)))
    (func $mk (param $i i32) (param $next (ref null $t)) (result (ref $t))
      (struct.new $t (local.get $i) (local.get $i) (local.get $i) (i64.extend_i32_u (local.get $i))
        (f32.convert_i32_u (local.get $i)) (f64.convert_i32_u (local.get $i)) (i32x4.splat (local.get $i))
        (ref.func $mk) (local.get $next) (ref.i31 (local.get $i)) (extern.convert_any (local.get $next))))
    (elem declare func $mk)
    (func $ok (param $o (ref null $t)) (param $i i32) (result i32)
      (i32.and (i32.and (i32.eq (struct.get_u $t 0 (local.get $o)) (i32.and (local.get $i) (i32.const 255)))
                        (i64.eq (struct.get $t 3 (local.get $o)) (i64.extend_i32_u (local.get $i))))
      (i32.and (i32.and (f32.eq (struct.get $t 4 (local.get $o)) (f32.convert_i32_u (local.get $i)))
                        (f64.eq (struct.get $t 5 (local.get $o)) (f64.convert_i32_u (local.get $i))))
      (i32.and (i32.and (i32.eq (i32x4.extract_lane 3 (struct.get $t 6 (local.get $o))) (local.get $i))
                        (i32.eqz (ref.is_null (struct.get $t 7 (local.get $o)))))
               (i32.eq (i31.get_u (ref.cast i31ref (struct.get $t 9 (local.get $o)))) (local.get $i))))))
    (func (export "run") (param $rounds i32) (result i32)
      (local $a (ref null $t)) (local $b (ref null $t)) (local $c (ref null $t)) (local $d (ref null $t)) (local $good i32)
      (loop $more
        (local.set $a (call $mk (local.get $rounds) (ref.null $t)))
        (local.set $b (call $mk (local.get $rounds) (local.get $a)))
        (local.set $c (call $mk (local.get $rounds) (local.get $b)))
        (local.set $d (struct.get $t 8 (struct.new $t (i32.const 1) (i32.const 2) (i32.const 3) (i64.const 4) (f32.const 5)
          (f64.const 6) (v128.const i64x2 7 8) (ref.null func) (call $mk (local.get $rounds) (local.get $c)) (local.get $c)
          (extern.convert_any (call $mk (local.get $rounds) (local.get $a))))))
        (local.set $good (i32.add (local.get $good) (i32.and
          (i32.and (call $ok (local.get $a) (local.get $rounds)) (call $ok (local.get $b) (local.get $rounds)))
          (i32.and (call $ok (struct.get $t 8 (struct.get $t 8 (struct.get $t 8 (local.get $d)))) (local.get $rounds))
                   (ref.eq (ref.cast eqref (any.convert_extern (struct.get $t 10 (local.get $d)))) (local.get $c))))))
        (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (local.get $good))))");
  const int n = rounds(50000);
  EXPECT_EQ(callI32(i, "run", {n}), n);
}

constexpr const char* kBoxes = R"((module
  (type $box (struct (field (mut i32))))
  (func (export "box") (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
  (func (export "unbox") (param (ref null $box)) (result i32) (struct.get $box 0 (local.get 0)))
  (func (export "churn") (param $n i32)
    (loop $more (drop (struct.new $box (local.get $n)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))))";

// What the host was handed lives as long as its scope.
TEST_P(GcProgram, TheHostHoldsReferences) {
  auto i = make(kBoxes);
  RootScope scope(store);
  std::vector<Val> boxes;
  for (int k = 0; k < 100; ++k) {
    auto r = i.func("box")->call({k});
    ASSERT_TRUE(r) << r.error().message;
    boxes.push_back((*r)[0]);
    ASSERT_TRUE(i.func("churn")->call({rounds(20000)}));
  }
  store.collect();
  for (int k = 0; k < 100; ++k) EXPECT_EQ(callI32(i, "unbox", {boxes[static_cast<size_t>(k)]}), k);
  // Not every word is a reference.
  auto type = boxes[0].type();
  EXPECT_EQ(callError(i, "unbox", {Val::reference(type, boxes[0].ref() + 8 * 1000000)}).kind, ErrorKind::Argument);
  EXPECT_EQ(callError(i, "unbox", {Val::reference(type, boxes[0].ref() + 4)}).kind, ErrorKind::Argument);
}

// A callback allocates through the guest while the caller's frame holds references.
TEST_P(GcProgram, CallbacksAllocate) {
  std::optional<Instance> boxes = make(kBoxes);
  auto churn = Func::host(store, {{}, {}}, [&](Caller&, auto, auto) -> Result<void> {
    auto r = boxes->func("churn")->call({1000});
    if (!r) return std::unexpected(r.error());
    return {};
  });
  auto i = make(R"((module (import "" "churn" (func $churn))
    (type $box (struct (field (mut i32))))
    (func (export "run") (param $n i32) (result i32) (local $a (ref null $box)) (local $s i32)
      (loop $more
        (local.set $a (struct.new $box (local.get $n)))
        (struct.new $box (local.get $n))
        (call $churn)
        (struct.get $box 0)
        (local.set $s (i32.sub (i32.add (local.get $s)) (struct.get $box 0 (local.get $a))))
        (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $s))))",
                {churn});
  EXPECT_EQ(callI32(i, "run", {rounds(1000)}), 0);
}

// Constant expressions allocate too; what they have made so far stays.
TEST_P(GcProgram, ConstantExpressions) {
  std::string items, sum = "(i32.const 0)";
  for (int k = 0; k < 50; ++k) {
    items += " (item (struct.new $box (i32.const " + std::to_string(k) + ")))";
    sum = "(i32.add " + sum + " (struct.get $box 0 (table.get $t (i32.const " + std::to_string(k) + "))))";
  }
  for (int k = 0; k < rounds(500); ++k) {
    auto i = make(R"((module
      (type $box (struct (field i32)))
      (type $all (array (ref $box)))
      (global $g (ref $all) (array.new_fixed $all 3 (struct.new $box (i32.const 1)) (struct.new $box (i32.const 2))
        (struct.new $box (i32.const 3))))
      (table $t 50 (ref null $box) (struct.new $box (i32.const 7)))
      (elem (i32.const 0) (ref null $box))" +
                  items + R"()
      (func (export "sum") (result i32) (i32.add (struct.get $box 0 (array.get $all (global.get $g) (i32.const 2))) )" +
                  sum + ")))");
    ASSERT_EQ(callI32(i, "sum"), 3 + 49 * 50 / 2);
  }
}

// As many operands as a function has room for, constants, locals and references on the operand stack.
TEST_P(GcProgram, FixedArraysOfManyElements) {
  constexpr int kCount = 30000;
  std::string numbers, boxes;
  for (int k = 0; k < kCount; ++k) {
    numbers += k % 3 ? " (i32.const " + std::to_string(k) + ")" : " (local.get 0)";
    if (k % 300 == 0) boxes += " (struct.new $box (i32.const " + std::to_string(k) + "))";
  }
  auto i = make(R"((module
    (type $box (struct (field i32)))
    (type $boxes (array (ref $box)))
    (type $numbers (array i32))
    (func (export "number") (param i32) (result i32)
      (array.get $numbers (array.new_fixed $numbers )" +
                std::to_string(kCount) + numbers + R"() (local.get 0)))
    (func (export "box") (param i32) (result i32)
      (struct.get $box 0 (array.get $boxes (array.new_fixed $boxes 100)" +
                boxes + ") (local.get 0)))))");
  EXPECT_EQ(callI32(i, "number", {29999}), 29999);
  EXPECT_EQ(callI32(i, "number", {10}), 10);
  EXPECT_EQ(callI32(i, "number", {12}), 12);
  EXPECT_EQ(callI32(i, "box", {99}), 29700);
}

TEST(GcHeap, TheLimitIsATrap) {
  Engine engine;
  Store store(engine, {.maxGcHeapBytes = 1 << 20});
  auto i = instantiate(store, engine, R"((module
    (type $cell (struct (field (ref null $cell)) (field i64)))
    (type $bytes (array (mut i8)))
    (global $list (mut (ref null $cell)) (ref.null $cell))
    (func (export "grow") (loop $more
      (global.set $list (struct.new $cell (global.get $list) (i64.const 0))) (br $more)))
    (func (export "drop") (global.set $list (ref.null $cell)))
    (func (export "array") (param i32) (result i32) (array.len (array.new_default $bytes (local.get 0))))))");
  for (int k = 0; k < 3; ++k) {
    auto e = callError(i, "grow");
    EXPECT_EQ(e.kind, ErrorKind::Trap);
    EXPECT_EQ(e.trap, TrapCode::AllocationFailed);
    ASSERT_TRUE(i.func("drop")->call({}));
    store.collect();  // by now nothing is on the stack, where a stale word may keep the list
    EXPECT_EQ(callI32(i, "array", {900000}), 900000);
  }
  EXPECT_EQ(callError(i, "array", {1 << 20}).trap, TrapCode::AllocationFailed);
  EXPECT_EQ(callError(i, "array", {-1}).trap, TrapCode::AllocationFailed);
}

// Functions that only objects of the heap refer to keep their instance, also when the objects form a cycle with it.
TEST(GcHeap, ObjectsKeepFunctionsAndHostValues) {
  Engine engine;
  Store store(engine);
  auto keeper = instantiate(store, engine, R"((module
    (type $f (func (result i32)))
    (type $holder (struct (field funcref) (field externref)))
    (global $h (mut (ref null $holder)) (ref.null $holder))
    (func (export "keep") (param funcref externref) (global.set $h (struct.new $holder (local.get 0) (local.get 1))))
    (func (export "call") (result i32) (call_ref $f (ref.cast (ref $f) (struct.get $holder 0 (global.get $h)))))
    (func (export "host") (result externref) (struct.get $holder 1 (global.get $h)))
    (func (export "forget") (global.set $h (ref.null $holder)))))");
  auto value = std::make_shared<int>(5);
  {
    RootScope scope(store);
    auto other = instantiate(store, engine, R"((module (func (export "five") (result i32) (i32.const 5))))");
    ASSERT_TRUE(keeper.func("keep")->call({other.func("five")->ref(), store.externref(value)}));
  }
  store.collect();
  EXPECT_EQ(callI32(keeper, "call"), 5);
  EXPECT_EQ(value.use_count(), 2);
  auto kept = keeper.func("host")->call({});
  ASSERT_TRUE(kept);
  EXPECT_EQ(store.externValue((*kept)[0])->get(), value.get());
  const size_t before = store.objectCount();
  ASSERT_TRUE(keeper.func("forget")->call({}));
  store.collect();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(store.objectCount(), before - 2);
}

// array.new and array.fill of every kind of element: exactly the elements asked for, whatever their number and place,
// from a constant and from a variable; and what is allocated behind them is zero.
TEST_P(GcProgram, ArraysFilledInPart) {
  struct Kind {
    const char *element, *get, *value, *constant, *equal;
  };
  static constexpr Kind kKinds[] = {
      {"i8", "array.get_u", "i32", "i32.const 0xa5", "i32.eq"},
      {"i16", "array.get_u", "i32", "i32.const 0xa5b6", "i32.eq"},
      {"i32", "array.get", "i32", "i32.const 0xa5b6c7d8", "i32.eq"},
      {"i64", "array.get", "i64", "i64.const 0xa5b6c7d8e9fa0b1c", "i64.eq"},
      {"f32", "array.get", "f32", "f32.const 1.25", "f32.eq"},
      {"f64", "array.get", "f64", "f64.const -3.75", "f64.eq"},
      {"v128", "array.get", "v128", "v128.const i32x4 1 2 3 4", "call $same"},
      {"i31ref", "array.get", "i31ref", "ref.i31 (i32.const 77)", "ref.eq"},
      {"funcref", "array.get", "funcref", "ref.func $check", "call $both"},
  };
  for (const Kind& kind : kKinds) {
    std::string text = R"((module
      (type $array (array (mut ELEMENT)))
      (func $same (param v128 v128) (result i32) (i8x16.all_true (i8x16.eq (local.get 0) (local.get 1))))
      (func $both (param funcref funcref) (result i32) (i32.eq (ref.is_null (local.get 0)) (ref.is_null (local.get 1))))
      (elem declare func $check)
      ;; Elements that are not as they should be: the value from `begin`, `n` of them, else zero.
      (func $check (param $a (ref $array)) (param $begin i32) (param $n i32) (result i32) (local $i i32) (local $bad i32) (local $zero VALUE)
        (block $done (loop $next
          (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $a))))
          (local.set $bad (i32.add (local.get $bad) (i32.eqz
            (EQUAL (GET $array (local.get $a) (local.get $i))
                   (if (result VALUE) (i32.lt_u (i32.sub (local.get $i) (local.get $begin)) (local.get $n))
                     (then (CONSTANT)) (else (local.get $zero)))))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next)))
        (local.get $bad))
      (func $round (param $n i32) (param $value VALUE) (result i32)
        (local $new (ref $array)) (local $fill (ref $array)) (local $behind (ref $array)) (local $bad i32) (local $begin i32)
        (local.set $new (array.new $array (local.get $value) (local.get $n)))
        (local.set $behind (array.new_default $array (i32.const 5)))
        (local.set $bad (i32.add (call $check (local.get $new) (i32.const 0) (local.get $n))
                                 (call $check (local.get $behind) (i32.const 0) (i32.const 0))))
        (local.set $new (array.new $array (CONSTANT) (local.get $n)))
        (local.set $bad (i32.add (local.get $bad) (call $check (local.get $new) (i32.const 0) (local.get $n))))
        (loop $next
          (local.set $fill (array.new_default $array (i32.add (local.get $n) (i32.const 4))))
          (array.fill $array (local.get $fill) (local.get $begin) (local.get $value) (local.get $n))
          (local.set $bad (i32.add (local.get $bad) (call $check (local.get $fill) (local.get $begin) (local.get $n))))
          (local.set $fill (array.new_default $array (i32.add (local.get $n) (i32.const 4))))
          (array.fill $array (local.get $fill) (local.get $begin) (CONSTANT) (local.get $n))
          (local.set $bad (i32.add (local.get $bad) (call $check (local.get $fill) (local.get $begin) (local.get $n))))
          (br_if $next (i32.le_u (local.tee $begin (i32.add (local.get $begin) (i32.const 1))) (i32.const 4))))
        (local.get $bad))
      (func (export "run") (param $most i32) (result i32) (local $n i32) (local $bad i32)
        (loop $next
          (local.set $bad (i32.add (local.get $bad) (call $round (local.get $n) (CONSTANT))))
          (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $most))))
        (local.get $bad))))";
    auto replace = [&](std::string_view what, std::string_view with) {
      for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    };
    replace("ELEMENT", kind.element);
    replace("GET", kind.get);
    replace("VALUE", kind.value);
    replace("CONSTANT", kind.constant);
    replace("EQUAL", kind.equal);
    EXPECT_EQ(callI32(make(text), "run", {70}), 0) << kind.element;
  }
}

// A table whose entries are replaced in no order, far more of them than the heap holds: most lines keep a few of their
// objects for long, and the heap must still not outgrow its limit.
TEST_P(GcProgram, ScatteredSurvivors) {
  auto i = make(R"((module
    (type $node (struct (field i32) (field (ref null $node))))
    (type $table (array (mut (ref null $node))))
    (func (export "run") (param $n i32) (result i32) (local $table (ref $table)) (local $seed i32) (local $i i32) (local $bad i32)
      (local.set $table (array.new_default $table (i32.const 8192)))
      (loop $next
        (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
        (local.set $i (i32.shr_u (local.get $seed) (i32.const 19)))
        (if (i32.eqz (ref.is_null (array.get $table (local.get $table) (local.get $i)))) (then
          (local.set $bad (i32.add (local.get $bad) (i32.ne (local.get $i)
            (struct.get $node 0 (array.get $table (local.get $table) (local.get $i))))))))
        (array.set $table (local.get $table) (local.get $i) (struct.new $node (local.get $i) (ref.null $node)))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $bad))))");
  EXPECT_EQ(callI32(i, "run", {rounds(3000000)}), 0);
}

}  // namespace
}  // namespace wattle::testing
