import sys, hashlib, json, re
def fib(n): return n if n<2 else fib(n-1)+fib(n-2)
print(sys.version.split()[0], sys.platform, fib(22))
print(hashlib.sha256(b"wattle").hexdigest())
print(json.dumps({"primes":[p for p in range(2,60) if all(p%d for d in range(2,p))]}))
print(sum(i*i for i in range(200000)), re.sub(r'(\w+) (\w+)', r'\2 \1', 'hello world'))
