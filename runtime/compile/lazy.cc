#include "runtime/compile/lazy.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/baseline/frame.h"
#include "runtime/compile/module_context.h"

namespace wattle::compile {

namespace {

using x64::Gpr;
using x64::Mem;
using x64::w32;
using x64::w64;
using x64::Xmm;

constexpr uint32_t kCodeAlignment = 16;
constexpr uint32_t kPage = 4096;
constexpr int kMadvPopulateWrite = 23;
// Native bytes reserved per byte of wasm; usual code takes less than half of it.
constexpr uint64_t kExpansion = 8;
constexpr uint64_t kLargestBlock = (1ull << 30) - (1 << 20);
constexpr size_t kFarJumpBytes = 14;

// Calls CompileLazy(context, r11d) with all argument registers saved, and jumps to what it returns.
std::vector<uint8_t> makeLazyStub() {
  x64::Assembler as(1024);
  constexpr Gpr kSaved[] = {Gpr::rdi, Gpr::rsi, Gpr::rdx, Gpr::rcx, Gpr::r8, Gpr::r9};
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 16 + 48 + 16 * 8);
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot), baseline::kContext);
  for (int32_t i = 0; i < 6; ++i) as.mov(w64, Mem(Gpr::rsp, 128 + 8 * i), kSaved[i]);
  for (int32_t i = 0; i < 8; ++i) as.movups(Mem(Gpr::rsp, 16 * i), static_cast<Xmm>(i));
  as.mov(w64, Gpr::rdi, baseline::kContext);
  as.mov(w32, Gpr::rsi, Gpr::r11);
  as.mov(w64, Gpr::rax, Mem(baseline::kContext, offsetof(abi::VMContext, builtins)));
  as.call(Mem(Gpr::rax, offsetof(abi::BuiltinTable, CompileLazy)));
  for (int32_t i = 0; i < 6; ++i) as.mov(w64, kSaved[i], Mem(Gpr::rsp, 128 + 8 * i));
  for (int32_t i = 0; i < 8; ++i) as.movups(static_cast<Xmm>(i), Mem(Gpr::rsp, 16 * i));
  as.mov(w64, Gpr::r11, Gpr::rax);
  as.test(w64, Gpr::r11, Gpr::r11);
  x64::ShortJump failed = as.jccShort(x64::Cond::e);
  as.leave();
  as.jmp(Gpr::r11);
  as.bind(failed);
  as.ud2();
  as.emit8(static_cast<uint8_t>(abi::TrapReason::OutOfMemory));
  return {as.data(), as.data() + as.size()};
}

const std::vector<uint8_t>& lazyStub() {
  static const std::vector<uint8_t> stub = makeLazyStub();
  return stub;
}

int64_t distance(const void* target, const void* from) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(target)) -
         static_cast<int64_t>(reinterpret_cast<uintptr_t>(from));
}
bool reaches(int64_t d) { return d == static_cast<int32_t>(d); }

}  // namespace

LazyState::LazyState(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings)
    : module_(module), layout_(module), context_(moduleContext(module, bytes, layout_, settings)) {}

std::unique_ptr<LazyState> LazyState::make(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes,
                                           const Settings& settings, const void* owner) {
  std::unique_ptr<LazyState> state(new LazyState(module, bytes, settings));
  state->owner_ = owner;
  state->count_ = static_cast<uint32_t>(module.functions.size()) - module.importedFunctions;
  state->slots_ = (static_cast<uint32_t>(lazyStub().size()) + 15) & ~15u;
  state->codeAt_ = (state->slots_ + state->count_ * kSlotBytes + kPage - 1) & ~(kPage - 1);
  state->used_ = state->firstUsed_ = state->codeAt_;
  state->code_ = std::make_unique<std::atomic<const void*>[]>(state->count_);
  return state;
}

// Reserved for the whole of a module.
uint32_t LazyState::blockBytes() const {
  return static_cast<uint32_t>(std::min(kLargestBlock, codeAt_ + module_.codeBytes * kExpansion + 65536));
}

std::expected<std::unique_ptr<LazyState>, std::string> LazyState::create(const frontend::ModuleInfo& module,
                                                                         std::span<const uint8_t> bytes,
                                                                         const Settings& settings, const void* owner) {
  auto state = make(module, bytes, settings, owner);
  auto block = codecache::CodeCache::process().allocate(state->blockBytes());
  if (!block) return std::unexpected(std::move(block.error()));
  state->open(std::move(*block), {});
  return state;
}

std::expected<std::unique_ptr<LazyState>, std::string> LazyState::restore(const frontend::ModuleInfo& module,
                                                                          std::span<const uint8_t> bytes,
                                                                          const Settings& settings, const void* owner,
                                                                          const CodeImage& image) {
  auto state = make(module, bytes, settings, owner);
  const uint64_t end = state->codeAt_ + image.code.size();
  if (image.codeAt != state->codeAt_ || end > state->blockBytes() || !state->fits(image.ranges)) return nullptr;
  auto block = blockOf(image, state->blockBytes());
  if (!block) return std::unexpected(std::move(block.error()));
  // The rest of a mapped page is not ours to write.
  state->used_ = state->firstUsed_ = static_cast<uint32_t>((end + kPage - 1) & ~uint64_t{kPage - 1});
  state->codeBytes_ = image.code.size();
  state->open(std::move(*block), image.ranges);
  return state;
}

// Each function once, and where the code is.
bool LazyState::fits(std::span<const codecache::CodeRange> ranges) {
  std::vector<bool> seen(count_);
  for (const codecache::CodeRange& range : ranges) {
    const uint32_t i = range.index - module_.importedFunctions;
    if (range.start < codeAt_ || i >= count_ || seen[i]) return false;
    seen[i] = true;
  }
  return true;
}

// Takes the block, in which the functions of `ranges` have their code already, and writes the table.
void LazyState::open(codecache::CodeRef block, std::span<const codecache::CodeRange> ranges) {
  block_ = std::move(block);
  current_ = block_.get();
  uint8_t* at = block_->writable();
  madvise(at, codeAt_, kMadvPopulateWrite);  // one system call instead of a fault a page; refusal costs the faults
  const auto& stub = lazyStub();
  std::memcpy(at, stub.data(), stub.size());
  uint8_t slot[kSlotBytes] = {0x41, 0xbb, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc};
  for (uint32_t i = 0; i < count_; ++i) {
    const uint32_t index = module_.importedFunctions + i;
    const int32_t toStub = -static_cast<int32_t>(slotOffset(i) + 11);
    std::memcpy(slot + 2, &index, 4);
    std::memcpy(slot + 7, &toStub, 4);
    std::memcpy(at + slotOffset(i), slot, kSlotBytes);
  }
  for (const codecache::CodeRange& range : ranges) {
    const uint32_t i = range.index - module_.importedFunctions;
    patchSlot(i, block_->code() + range.start);
    code_[i].store(block_->code() + range.start, std::memory_order_relaxed);
  }
  std::vector<codecache::CodeRange> all(1);
  all[0].kind = static_cast<uint32_t>(codecache::RangeKind::Helper) & 15;
  all.insert(all.end(), ranges.begin(), ranges.end());
  block_->setOwner(owner_);
  block_->publish(std::move(all));
}

CodeImage LazyState::image(std::vector<codecache::CodeRange>& ranges) const {
  std::lock_guard lock(mutex_);
  const auto all = block_->ranges();
  ranges.assign(all.begin() + 1, all.end());
  const uint32_t end = current_ == block_.get() ? used_ : firstUsed_;
  return {.ranges = ranges, .codeAt = codeAt_, .code = {block_->code() + codeAt_, end - codeAt_}};
}

uint64_t LazyState::codeBytes() const {
  std::lock_guard lock(mutex_);
  return codeBytes_;
}

std::unique_ptr<baseline::FunctionCompiler> LazyState::takeCompiler() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<baseline::FunctionCompiler>(context_);
  auto compiler = std::move(idle_.back());
  idle_.pop_back();
  return compiler;
}

std::expected<const void*, Error> LazyState::materialize(uint32_t functionIndex) {
  auto& known = code_[functionIndex - module_.importedFunctions];
  if (const void* code = known.load(std::memory_order_acquire)) return code;
  auto compiler = takeCompiler();
  if (auto error = compiler->compile(functionIndex)) return std::unexpected(std::move(*error));
  std::lock_guard lock(mutex_);
  const void* code = known.load(std::memory_order_relaxed);
  if (!code) {  // nobody was quicker
    auto placed = place(functionIndex, compiler->compiler());
    if (!placed)
      return std::unexpected(
          Error{{frontend::ErrorKind::Limit, std::move(placed.error()), 0, functionIndex}, true, false});
    code = *placed;
  }
  if (idle_.size() < 4) idle_.push_back(std::move(compiler));
  return code;
}

std::expected<void, std::string> LazyState::openBlock(uint64_t bytes) {
  auto block = codecache::CodeCache::process().allocate(
      static_cast<uint32_t>(std::min(kLargestBlock, std::max<uint64_t>(bytes, 1 << 20))));
  if (!block) return std::unexpected(std::move(block.error()));
  (*block)->setOwner(owner_);
  if (more_.empty()) firstUsed_ = used_;
  more_.push_back(std::move(*block));
  current_ = more_.back().get();
  used_ = 0;
  return {};
}

std::expected<const void*, std::string> LazyState::place(uint32_t functionIndex, const baseline::Compiler& compiled) {
  std::span<const uint8_t> code = compiled.code();
  // At worst each call needs a jump of its own to reach its slot.
  const uint64_t worst = code.size() + compiled.callSites().size() * kFarJumpBytes + kCodeAlignment;
  used_ = (used_ + kCodeAlignment - 1) & ~(kCodeAlignment - 1);
  if (used_ + worst > current_->size() || current_->frozen()) {
    if (auto opened = openBlock(worst * 4); !opened) return std::unexpected(std::move(opened.error()));
  }
  uint8_t* writable = current_->writable() + used_;
  const uint8_t* executable = current_->code() + used_;
  std::memcpy(writable, code.data(), code.size());
  codecache::CodeRange range;
  range.start = used_;
  range.index = functionIndex & 0xffffff;
  range.flags = compiled.rangeFlags() & 15;
  range.kind = static_cast<uint32_t>(codecache::RangeKind::Function) & 15;
  used_ += static_cast<uint32_t>(code.size());
  codeBytes_ += code.size();
  link(writable, executable, static_cast<uint32_t>(code.size()), compiled.callSites());
  current_->append({&range, 1});
  patchSlot(functionIndex - module_.importedFunctions, executable);
  code_[functionIndex - module_.importedFunctions].store(executable, std::memory_order_release);
  return executable;
}

// Direct calls go to slots; from another region by way of an absolute jump behind the function.
void LazyState::link(uint8_t* writable, const uint8_t* code, uint32_t size, std::span<const baseline::CallSite> sites) {
  uint32_t tail = size;
  for (const baseline::CallSite& site : sites) {
    const void* target = slot(site.function);
    int64_t d = distance(target, code + site.position + 4);
    if (!reaches(d)) {
      const uint8_t jump[6] = {0xff, 0x25, 0, 0, 0, 0};  // jmp [rip + 0]
      std::memcpy(writable + tail, jump, 6);
      std::memcpy(writable + tail + 6, &target, 8);
      d = static_cast<int64_t>(tail) - (site.position + 4);
      tail += kFarJumpBytes;
      used_ += kFarJumpBytes;
    }
    const int32_t d32 = static_cast<int32_t>(d);
    std::memcpy(writable + site.position, &d32, 4);
  }
}

// A slot that cannot reach its code keeps going through the stub.
void LazyState::patchSlot(uint32_t i, const void* code) {
  if (block_->frozen()) return;
  const int64_t d = distance(code, block_->code() + slotOffset(i) + 5);
  if (!reaches(d)) return;
  uint8_t* slot = block_->writable() + slotOffset(i);
  uint64_t word;
  std::memcpy(&word, slot, 8);
  uint8_t jump[5] = {0xe9};
  const int32_t d32 = static_cast<int32_t>(d);
  std::memcpy(jump + 1, &d32, 4);
  std::memcpy(&word, jump, 5);
  __atomic_store_n(reinterpret_cast<uint64_t*>(slot), word, __ATOMIC_RELEASE);
}

}  // namespace wattle::compile
