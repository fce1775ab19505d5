// The type section: recursion groups, their canonical representatives, subtyping.
//
// While a group is read, references into it carry the indices as written. When it is complete its structure is spelled
// as a string in which such references are relative, so that two groups are equivalent exactly when their strings are
// equal; then the references are rewritten to the representatives of the first such group.
#include <string>
#include <unordered_map>
#include <utility>

#include "frontend/binary/limits.h"
#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {
namespace {

constexpr uint8_t kRec = 0x4e, kSub = 0x50, kSubFinal = 0x4f, kDescribes = 0x4c, kDescriptor = 0x4d;
constexpr uint8_t kFunc = 0x60, kStruct = 0x5f, kArray = 0x5e;

class TypeSectionDecoder {
 public:
  TypeSectionDecoder(Reader& reader, ModuleInfo& module) : reader_(reader), module_(module), types_(module.types) {}

  bool decode() {
    const uint32_t count = reader_.count(kMaxTypes, "types");
    reader_.reserve(types_, count);
    for (uint32_t i = 0; i < count && reader_.ok(); i++) recursionGroup();
    return reader_.ok();
  }

 private:
  // --- reading -----------------------------------------------------------------------------------
  bool recursionGroup();
  bool subType(SubType& type);
  bool clauses(SubType& type);
  bool compositeType(SubType& type);
  bool functionType(FuncType& type);
  bool valueTypes(std::vector<ValType>& types, uint32_t most, const char* what);
  bool fieldType(FieldType& field);
  TypeScope scope() const { return {types_, groupEnd_, module_.features.customDescriptors}; }
  bool atGroupOffset(ErrorKind kind, std::string message) {
    return reader_.failAt(groupOffset_, kind, std::move(message));
  }

  // --- canonical groups --------------------------------------------------------------------------
  void canonicalise();
  void spell(const SubType& type);
  void spellIndex(uint32_t index);
  void spellType(ValType type);
  void put(uint32_t word) { spelling_.append(reinterpret_cast<const char*>(&word), sizeof word); }
  bool inGroup(uint32_t index) const { return index >= groupStart_ && index < groupEnd_; }
  void relocate(SubType& type, uint32_t target) const;
  ValType relocated(ValType type, uint32_t target) const;
  uint32_t relocated(uint32_t index, uint32_t target) const {
    return index != kNoIndex && inGroup(index) ? index - groupStart_ + target : index;
  }

  // --- validity ----------------------------------------------------------------------------------
  bool checkSupertype(uint32_t index);
  bool checkClauses(uint32_t index);
  bool checkMatch(uint32_t index);
  bool structureMatches(const SubType& sub, const SubType& super) const;
  bool fieldMatches(const FieldType& sub, const FieldType& super) const;
  bool isDeclaredSubtype(uint32_t sub, uint32_t super) const {
    return module_.isHeapSubtype(HeapType::index(sub), HeapType::index(super));
  }

  Reader& reader_;
  ModuleInfo& module_;
  std::vector<SubType>& types_;
  uint32_t groupStart_ = 0, groupEnd_ = 0;
  uint64_t groupOffset_ = 0;
  std::vector<uint32_t> writtenSupertypes_;  // of the current group, before they became representatives
  std::string spelling_;
  std::unordered_map<std::string, uint32_t> groups_;  // spelling to first type index
};

// --- reading -------------------------------------------------------------------------------------

bool TypeSectionDecoder::recursionGroup() {
  groupOffset_ = reader_.offset();
  uint32_t size = 1;
  if (reader_.peek() == kRec) {
    reader_.byte();
    size = reader_.u32();
  }
  groupStart_ = static_cast<uint32_t>(types_.size());
  if (size > kMaxTypes - groupStart_) {
    return reader_.limit("too many types: at most " + std::to_string(kMaxTypes));
  }
  groupEnd_ = groupStart_ + size;
  for (uint32_t i = 0; i < size && reader_.ok(); i++) {
    SubType type;
    type.groupStart = groupStart_;
    type.groupSize = size;
    type.representative = groupStart_ + i;
    subType(type);
    types_.push_back(std::move(type));
  }
  if (!reader_.ok()) return false;
  writtenSupertypes_.resize(size);
  for (uint32_t i = groupStart_; i < groupEnd_; i++) {
    if (!checkSupertype(i)) return false;
  }
  canonicalise();
  for (uint32_t i = groupStart_; i < groupEnd_; i++) {
    if (!checkClauses(i)) return false;
  }
  for (uint32_t i = groupStart_; i < groupEnd_; i++) {
    if (!checkMatch(i)) return false;
  }
  return true;
}

bool TypeSectionDecoder::subType(SubType& type) {
  const uint8_t lead = reader_.peek();
  if (lead == kSub || lead == kSubFinal) {
    reader_.byte();
    type.isFinal = lead == kSubFinal;
    const uint64_t offset = reader_.offset();
    const uint32_t count = reader_.u32();
    for (uint32_t i = 0; i < count && reader_.ok(); i++) type.supertype = readTypeIndex(reader_, scope());
    if (reader_.ok() && count > 1) reader_.failAt(offset, ErrorKind::Invalid, "sub type with more than one super type");
  }
  return clauses(type) && compositeType(type);
}

bool TypeSectionDecoder::clauses(SubType& type) {
  if (!module_.features.customDescriptors) return reader_.ok();
  const auto index = [&](const char* what) {
    reader_.byte();
    const uint32_t found = reader_.u32();
    if (reader_.ok() && !inGroup(found))
      atGroupOffset(ErrorKind::Invalid, std::string(what) + " type is outside rec group");
    return found;
  };
  if (reader_.peek() == kDescribes) type.describes = index("described");
  if (reader_.peek() == kDescriptor) type.descriptor = index("descriptor");
  return reader_.ok();
}

bool TypeSectionDecoder::compositeType(SubType& type) {
  const uint64_t offset = reader_.offset();
  const uint8_t lead = reader_.byte();
  switch (lead) {
    case kFunc: type.kind = CompositeKind::Func; return functionType(type.func);
    case kArray:
      type.kind = CompositeKind::Array;
      type.fields.resize(1);
      return fieldType(type.fields[0]);
    case kStruct: break;
    default:  // a negative number of one byte is expected
      return reader_.failAt(offset, ErrorKind::Malformed,
                            lead & 0x80 ? "integer representation too long" : "malformed definition type");
  }
  type.kind = CompositeKind::Struct;
  const uint32_t count = reader_.count(kMaxStructFields, "fields");
  reader_.reserve(type.fields, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) fieldType(type.fields.emplace_back());
  return reader_.ok();
}

bool TypeSectionDecoder::functionType(FuncType& type) {
  return valueTypes(type.params, kMaxParams, "parameters") && valueTypes(type.results, kMaxResults, "results");
}

bool TypeSectionDecoder::valueTypes(std::vector<ValType>& types, uint32_t most, const char* what) {
  const uint32_t count = reader_.count(most, what);
  reader_.reserve(types, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) types.push_back(readValType(reader_, scope()));
  return reader_.ok();
}

bool TypeSectionDecoder::fieldType(FieldType& field) {
  field.type = readStorageType(reader_, scope());
  const uint64_t offset = reader_.offset();
  const uint8_t mutability = reader_.byte();
  if (reader_.ok() && mutability > 1) reader_.failAt(offset, ErrorKind::Malformed, "malformed mutability");
  field.isMutable = mutability == 1;
  return reader_.ok();
}

// --- canonical groups ----------------------------------------------------------------------------

void TypeSectionDecoder::canonicalise() {
  spelling_.clear();
  put(groupEnd_ - groupStart_);
  for (uint32_t i = groupStart_; i < groupEnd_; i++) spell(types_[i]);
  const uint32_t target = groups_.try_emplace(spelling_, groupStart_).first->second;
  for (uint32_t i = groupStart_; i < groupEnd_; i++) {
    types_[i].representative = target + (i - groupStart_);
    if (target != groupStart_) relocate(types_[i], target);
  }
}

void TypeSectionDecoder::spell(const SubType& type) {
  put(static_cast<uint32_t>(type.kind) | (type.isFinal ? 8u : 0u));
  spellIndex(type.supertype);
  spellIndex(type.describes);
  spellIndex(type.descriptor);
  put(static_cast<uint32_t>(type.func.params.size()));
  for (const ValType param : type.func.params) spellType(param);
  put(static_cast<uint32_t>(type.func.results.size()));
  for (const ValType result : type.func.results) spellType(result);
  put(static_cast<uint32_t>(type.fields.size()));
  for (const FieldType& field : type.fields) {
    spellType(field.type);
    put(field.isMutable);
  }
}

// References into the group are marked by a bit that no type index reaches.
void TypeSectionDecoder::spellIndex(uint32_t index) {
  if (index != kNoIndex && inGroup(index)) index = 0x80000000u | (index - groupStart_);
  put(index);
}

void TypeSectionDecoder::spellType(ValType type) {
  const bool relative = type.isRef() && type.heap().isIndex() && inGroup(type.heap().typeIndex());
  put(relative ? relocated(type, 0).bits() : type.bits());
  put(relative);
}

ValType TypeSectionDecoder::relocated(ValType type, uint32_t target) const {
  if (!type.isRef() || !type.heap().isIndex()) return type;
  return ValType::ref(HeapType::index(relocated(type.heap().typeIndex(), target)), type.isNullable(), type.isExact());
}

void TypeSectionDecoder::relocate(SubType& type, uint32_t target) const {
  type.supertype = relocated(type.supertype, target);
  type.describes = relocated(type.describes, target);
  type.descriptor = relocated(type.descriptor, target);
  for (ValType& param : type.func.params) param = relocated(param, target);
  for (ValType& result : type.func.results) result = relocated(result, target);
  for (FieldType& field : type.fields) field.type = relocated(field.type, target);
}

// --- validity ------------------------------------------------------------------------------------

// Computes the depth and makes the supertype its representative.
bool TypeSectionDecoder::checkSupertype(uint32_t index) {
  SubType& type = types_[index];
  const uint32_t written = writtenSupertypes_[index - groupStart_] = type.supertype;
  if (written == kNoIndex) return true;
  const auto fail = [&](ErrorKind kind, const std::string& what) {
    return atGroupOffset(kind, "sub type " + std::to_string(index) + what);
  };
  if (written >= index) {
    return atGroupOffset(ErrorKind::Invalid, "unknown type " + std::to_string(written) + ": forward use as super type");
  }
  const SubType& super = types_[written];
  if (super.isFinal) return fail(ErrorKind::Invalid, " has final super type " + std::to_string(written));
  type.depth = super.depth + 1;
  if (type.depth > kMaxSubtypeDepth) {
    return fail(ErrorKind::Limit, " has more than " + std::to_string(kMaxSubtypeDepth) + " super types");
  }
  type.supertype = super.representative;
  return true;
}

bool TypeSectionDecoder::checkClauses(uint32_t index) {
  const SubType& type = types_[index];
  const auto fail = [&](const char* message) { return atGroupOffset(ErrorKind::Invalid, message); };
  if (type.describes != kNoIndex) {
    if (type.describes >= type.representative) return fail("forward use of described type");
    if (type.kind != CompositeKind::Struct) return fail("described type must be a struct");
    if (types_[type.describes].descriptor != type.representative)
      return fail("described type is not described by descriptor");
  }
  if (type.descriptor != kNoIndex) {
    if (type.kind != CompositeKind::Struct) return fail("descriptor type must be a struct");
    if (types_[type.descriptor].describes != type.representative)
      return fail("type is not described by its descriptor");
  }
  return true;
}

bool TypeSectionDecoder::checkMatch(uint32_t index) {
  const SubType& type = types_[index];
  if (type.supertype == kNoIndex) return true;
  const SubType& super = types_[type.supertype];
  const auto mismatch = [&](const char* what, uint32_t sub, uint32_t over) {
    return atGroupOffset(ErrorKind::Invalid, std::string(what) + " type " + std::to_string(sub) +
                                                 " does not match super type " + std::to_string(over));
  };
  const bool clausesAgree = (type.describes == kNoIndex) == (super.describes == kNoIndex) &&
                            (type.descriptor != kNoIndex || super.descriptor == kNoIndex);
  if (!clausesAgree || !structureMatches(type, super))
    return mismatch("sub", index, writtenSupertypes_[index - groupStart_]);
  if (super.descriptor != kNoIndex && !isDeclaredSubtype(type.descriptor, super.descriptor)) {
    return mismatch("descriptor", type.descriptor, super.descriptor);
  }
  if (super.describes != kNoIndex && !isDeclaredSubtype(type.describes, super.describes)) {
    return mismatch("described", type.describes, super.describes);
  }
  return true;
}

bool TypeSectionDecoder::structureMatches(const SubType& sub, const SubType& super) const {
  if (sub.kind != super.kind) return false;
  if (sub.kind == CompositeKind::Func) {
    if (sub.func.params.size() != super.func.params.size() || sub.func.results.size() != super.func.results.size()) {
      return false;
    }
    for (size_t i = 0; i < sub.func.params.size(); i++) {
      if (!module_.isSubtype(super.func.params[i], sub.func.params[i])) return false;
    }
    for (size_t i = 0; i < sub.func.results.size(); i++) {
      if (!module_.isSubtype(sub.func.results[i], super.func.results[i])) return false;
    }
    return true;
  }
  if (sub.fields.size() < super.fields.size()) return false;
  for (size_t i = 0; i < super.fields.size(); i++) {
    if (!fieldMatches(sub.fields[i], super.fields[i])) return false;
  }
  return true;
}

bool TypeSectionDecoder::fieldMatches(const FieldType& sub, const FieldType& super) const {
  if (sub.isMutable != super.isMutable) return false;
  return sub.isMutable ? sub.type == super.type : module_.isSubtype(sub.type, super.type);
}

}  // namespace

bool decodeTypes(Reader& reader, ModuleInfo& module) { return TypeSectionDecoder(reader, module).decode(); }

}  // namespace wattle::frontend
