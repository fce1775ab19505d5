print(_VERSION, 2^53, 10//3, "wattle")
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(22))
local words = {}
for word in ("the quick brown fox the end"):gmatch("%a+") do words[word] = (words[word] or 0) + 1 end
local sorted = {}
for word in pairs(words) do sorted[#sorted + 1] = word end
table.sort(sorted)
for _, word in ipairs(sorted) do io.write(word, "=", words[word], " ") end
print()
local sum = 0
for i = 1, 300000 do sum = (sum * 31 + i) % 1000003 end
print(sum)
print(string.format("%5.2f %q %x", 3.14159, "a\nb", 255), #arg, arg[1])
