;; Custom descriptors: the type index behind the exact prefix of a cast's heap type (here 2) is no instruction (block), so the load behind it counts.
(module
  (memory 1) (data (i32.const 0) "\07\00\00\00\09")
  (type (struct)) (type (struct (field i32))) (type $t (struct (field i64)))
  (func (export "f") (param anyref) (result i32) (i32.load (ref.test (ref (exact 2)) (local.get 0)))))
(assert_return (invoke "f" (ref.null none)) (i32.const 7))
