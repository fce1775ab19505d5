;; Labels behind catch and catch_all name the block once more; a branch hint may stand behind a folded instruction's operands.
(module
  (tag $e)
  (func (export "catches") (result i32)
    try $a (result i32)
      throw $e
    catch $e $a
      i32.const 1
    catch_all $a
      i32.const 2
    end $a)
  (func (export "if") (param i32) (result i32)
    (if (result i32) (local.get 0) (@metadata.code.branch_hint "\01") (then (i32.const 1)) (else (i32.const 0))))
  (func (export "br_if") (param i32) (result i32)
    (block (br_if 0 (local.get 0) (@metadata.code.branch_hint "\00")) (return (i32.const 5)))
    (i32.const 6)))
(assert_return (invoke "catches") (i32.const 1))
(assert_return (invoke "if" (i32.const 3)) (i32.const 1))
(assert_return (invoke "br_if" (i32.const 3)) (i32.const 6))
(assert_malformed (module quote "(tag $e) (func try $a catch $e $b end)") "mismatching label")
(assert_malformed (module quote "(func (param i32) (block (br_if 0 (@metadata.code.branch_hint \"\\00\") (local.get 0))))") "@metadata.code.branch_hint annotation")
