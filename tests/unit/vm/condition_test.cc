// Conditions that a local takes from the flags, and that are used from there afterwards: in every order of uses, with
// what changes the flags or the local in between, in locals with and without a register.
#include <random>
#include <string>
#include <vector>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

// One function: (param $x i32) (param $y i32), $c takes a comparison of the two, $p and $q follow it. `idle` further
// locals are used so often that those of the test have no registers.
struct Step {
  const char* text;
  void (*model)(int32_t& x, int32_t& y, int32_t& c, int32_t& p, int32_t& q);
};

constexpr Step kSteps[] = {
    {"(local.set $p (select (local.get $x) (local.get $p) (local.tee $c (i32.lt_s (local.get $x) (local.get $y)))))",
     [](int32_t& x, int32_t& y, int32_t& c, int32_t& p, int32_t&) {
       c = x < y;
       p = c ? x : p;
     }},
    {"(local.set $q (select (local.get $q) (local.get $y) (local.get $c)))",
     [](int32_t&, int32_t& y, int32_t& c, int32_t&, int32_t& q) { q = c ? q : y; }},
    {"(local.set $p (select (local.get $q) (local.get $x) (local.get $c)))",
     [](int32_t& x, int32_t&, int32_t& c, int32_t& p, int32_t& q) { p = c ? q : x; }},
    {"(local.set $x (i32.add (local.get $x) (i32.const 3)))",
     [](int32_t& x, int32_t&, int32_t&, int32_t&, int32_t&) { x += 3; }},
    {"(local.set $y (local.get $p))", [](int32_t&, int32_t& y, int32_t&, int32_t& p, int32_t&) { y = p; }},
    {"(local.set $c (local.get $q))", [](int32_t&, int32_t&, int32_t& c, int32_t&, int32_t& q) { c = q; }},
    {"(drop (local.tee $c (i32.eqz (local.tee $c (i32.gt_u (local.get $y) (i32.const 5))))))",
     [](int32_t&, int32_t& y, int32_t& c, int32_t&, int32_t&) { c = !(static_cast<uint32_t>(y) > 5); }},
    {"(block (br_if 0 (local.tee $c (i32.eq (local.get $p) (local.get $q)))) (local.set $x (i32.const 9)))",
     [](int32_t& x, int32_t&, int32_t& c, int32_t& p, int32_t& q) {
       c = p == q;
       if (!c) x = 9;
     }},
    {"(block (br_if 0 (local.get $c)) (local.set $q (i32.const -4)))",
     [](int32_t&, int32_t&, int32_t& c, int32_t&, int32_t& q) {
       if (!c) q = -4;
     }},
    {"(if (local.tee $c (i32.ge_s (local.get $y) (local.get $q))) (then (local.set $c (i32.const 2))))",
     [](int32_t&, int32_t& y, int32_t& c, int32_t&, int32_t& q) {
       c = y >= q;
       if (c) c = 2;
     }},
    {"(if (local.get $c) (then (local.set $p (local.get $x))) (else (local.set $q (local.get $y))))",
     [](int32_t& x, int32_t& y, int32_t& c, int32_t& p, int32_t& q) {
       if (c)
         p = x;
       else
         q = y;
     }},
    {"(local.set $x (i32.trunc_sat_f64_s (select (f64.convert_i32_s (local.get $x)) (f64.const 12) (local.get $c))))",
     [](int32_t& x, int32_t&, int32_t& c, int32_t&, int32_t&) { x = c ? x : 12; }},
    {"(local.set $y (i32.wrap_i64 (select (i64.const 6) (i64.extend_i32_s (local.get $y)) (local.tee $c (i64.lt_s "
     "(i64.extend_i32_s (local.get $x)) (i64.const 8))))))",
     [](int32_t& x, int32_t& y, int32_t& c, int32_t&, int32_t&) {
       c = x < 8;
       y = c ? 6 : y;
     }},
    // Two ways lead behind it, and one comes with other flags.
    {"(block (br_if 0 (i32.eq (local.get $p) (local.get $q))) (local.set $p (select (local.get $x) (local.get $p) "
     "(local.tee $c (i32.gt_s (local.get $x) (local.get $y))))))",
     [](int32_t& x, int32_t& y, int32_t& c, int32_t& p, int32_t& q) {
       if (p == q) return;
       c = x > y;
       p = c ? x : p;
     }},
    {"(local.set $f (select (local.get $f) (f32.convert_i32_s (local.get $x)) (local.tee $c (f32.lt (local.get $f) "
     "(f32.const 4)))))"
     "(local.set $q (i32.trunc_sat_f32_s (local.get $f)))",
     nullptr},
};

TEST(Conditions, StayInTheFlags) {
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    std::vector<unsigned> steps(1 + random() % 7);
    for (unsigned& s : steps) s = static_cast<unsigned>(random() % std::size(kSteps));
    const bool crowded = round % 2 != 0, looped = round % 3 == 0;
    std::string text = "(module (func (export \"f\") (param $x i32) (param $y i32) (result i32)";
    text += " (local $c i32) (local $p i32) (local $q i32) (local $f f32) (local $n i32)";
    for (int i = 0; i < 8 && crowded; ++i) text += " (local $l" + std::to_string(i) + " i32)";
    for (int use = 0; use < 30 && crowded; ++use) {
      const std::string name = "$l" + std::to_string(use % 8);
      text += "(local.set " + name + " (i32.add (local.get " + name + ") (local.get " + name + ")))";
    }
    std::string body;
    for (unsigned s : steps) body += kSteps[s].text;
    const char* kAgain =
        "(br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 3)))";
    text += looped ? "(loop $again " + body + kAgain + ")" : body;
    text +=
        "(i32.add (i32.mul (local.get $x) (i32.const 3)) (i32.add (i32.mul (local.get $y) (i32.const 5)) "
        "(i32.add (i32.mul (local.get $c) (i32.const 7)) (i32.add (i32.mul (local.get $p) (i32.const 11)) (local.get "
        "$q)))))))";
    SCOPED_TRACE(text);
    World w;
    Instance i = w.instantiate(text);
    for (int32_t x : {-3, 2, 5, 9}) {
      for (int32_t y : {-3, 4, 5}) {
        int32_t a = x, b = y, c = 0, p = 0, q = 0;
        float f = 0;
        for (int n = 0; n < (looped ? 3 : 1); ++n) {
          for (unsigned s : steps) {
            if (kSteps[s].model) {
              kSteps[s].model(a, b, c, p, q);
            } else {
              c = f < 4;
              f = c ? f : static_cast<float>(a);
              q = static_cast<int32_t>(f);
            }
          }
        }
        ASSERT_EQ(callI32(i, "f", {x, y}), a * 3 + b * 5 + c * 7 + p * 11 + q) << x << " " << y;
      }
    }
  }
}

}  // namespace
}  // namespace wattle::testing
