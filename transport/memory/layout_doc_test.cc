// docs/layout.md tells the truth: every "offset, field" it gives is what the
// compiler says, and every field is there; so are version, kinds and flags.

#include <cstddef>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "shmrpc/version.h"
#include "transport/memory/layout.h"

namespace shmrpc {
namespace memory {
namespace {

using Field = std::pair<std::string, std::string>;  // struct, field

#define SHMRPC_FIELD(type, field) \
  { {#type, #field}, offsetof(type, field) }

std::map<Field, size_t> Offsets() {
  return {
      SHMRPC_FIELD(LobbyIdentity, magic),
      SHMRPC_FIELD(LobbyIdentity, layout_version),
      SHMRPC_FIELD(LobbyIdentity, identity_bytes),
      SHMRPC_FIELD(LobbyIdentity, feature_bits),
      SHMRPC_FIELD(LobbyIdentity, pid),
      SHMRPC_FIELD(LobbyIdentity, start_time),
      SHMRPC_FIELD(LobbyIdentity, slots_nonce),
      SHMRPC_FIELD(LobbyIdentity, slots_global),
      SHMRPC_FIELD(LobbyIdentity, slot_count),
      SHMRPC_FIELD(LobbyIdentity, version),
      SHMRPC_FIELD(LobbyIdentity, name),
      SHMRPC_FIELD(AcceptSlot, state),
      SHMRPC_FIELD(AcceptSlot, nonce),
      SHMRPC_FIELD(ConnectionHeader, magic),
      SHMRPC_FIELD(ConnectionHeader, layout_version),
      SHMRPC_FIELD(ConnectionHeader, header_bytes),
      SHMRPC_FIELD(ConnectionHeader, feature_bits),
      SHMRPC_FIELD(ConnectionHeader, client_pid),
      SHMRPC_FIELD(ConnectionHeader, client_start_time),
      SHMRPC_FIELD(ConnectionHeader, ring_size_bytes),
      SHMRPC_FIELD(ConnectionHeader, total_size_bytes),
      SHMRPC_FIELD(ConnectionHeader, client_clock_ns),
      SHMRPC_FIELD(ConnectionHeader, slots_nonce_low),
      SHMRPC_FIELD(ServerHello, state),
      SHMRPC_FIELD(ServerHello, refusal),
      SHMRPC_FIELD(ServerHello, server_clock_ns),
      SHMRPC_FIELD(ServerHello, limit),
      SHMRPC_FIELD(ServerHello, connection_nonce),
      SHMRPC_FIELD(SideControl, parked),
      SHMRPC_FIELD(SideControl, wants_space),
      SHMRPC_FIELD(SideControl, closed),
      SHMRPC_FIELD(RingControl, consumed),
      SHMRPC_FIELD(FrameHeader, size_kind_flags),
      SHMRPC_FIELD(FrameHeader, call_id),
      SHMRPC_FIELD(FrameHeader, aux),
      SHMRPC_FIELD(FrameHeader, deadline_ns),
      SHMRPC_FIELD(FrameHeader, metadata_bytes),
      SHMRPC_FIELD(FrameHeader, returned_block),
      SHMRPC_FIELD(BlockRef, segment),
      SHMRPC_FIELD(BlockRef, block),
      SHMRPC_FIELD(BlockRef, offset_bytes),
      SHMRPC_FIELD(BlockRef, size_bytes),
      SHMRPC_FIELD(SegmentInfo, size_bytes),
      SHMRPC_FIELD(SegmentInfo, nonce),
      SHMRPC_FIELD(SegmentInfo, receiver_start_time),
      SHMRPC_FIELD(SegmentInfo, receiver_pid),
  };
}

std::map<std::string, size_t> Sizes() {
  return {{"LobbyIdentity", sizeof(LobbyIdentity)},
          {"LobbySlots", sizeof(LobbySlots)}};
}

// What lies at which offset of the connection's page, as its diagram says.
std::map<std::string, size_t> PageOffsets() {
  return {{"ConnectionHeader", offsetof(ConnectionPage, header)},
          {"ServerHello", offsetof(ConnectionPage, hello)},
          {"SideControl, client", offsetof(ConnectionPage, side[0])},
          {"SideControl, server", offsetof(ConnectionPage, side[1])},
          {"RingControl, client sends", offsetof(ConnectionPage, ring[0])},
          {"RingControl, server sends", offsetof(ConnectionPage, ring[1])},
          {"client_wake", offsetof(ConnectionPage, client_wake)},
          {"ring data, client to server", kPage}};
}

// The tables' first two columns.
std::map<std::string, size_t> KindsAndFlags() {
  return {{"pad", kFramePad},       {"bind", kFrameBind},
          {"open", kFrameOpen},     {"close", kFrameClose},
          {"cancel", kFrameCancel}, {"segment", kFrameSegment},
          {"return", kFrameReturn}, {"message", kFrameMessage},
          {"credit", kFrameCredit}, {"refuse", kFrameRefuse},
          {"drop", kFrameDrop},     {"message there", kFlagMessage},
          {"block", kFlagBlock},    {"last", kFlagLast},
          {"initial", kFlagInitial}};
}

std::string ReadDoc() {
  std::ifstream file("docs/layout.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

using Iterator = std::sregex_iterator;

TEST(LayoutDoc, FieldsStandWhereTheyAre) {
  const std::string doc = ReadDoc();
  ASSERT_FALSE(doc.empty());
  const std::map<Field, size_t> offsets = Offsets();
  std::map<Field, size_t> found;
  std::string current;  // the struct last spoken of
  const std::regex token(
      "(LobbyIdentity|LobbySlots|AcceptSlot|ConnectionHeader|ServerHello|"
      "SideControl|RingControl|BlockRef|SegmentInfo|## Records)"
      "|([0-9]+) (?:\\| )?`([a-z_]+)`");
  for (Iterator it(doc.begin(), doc.end(), token), end; it != end; ++it) {
    if ((*it)[1].matched) {
      current = (*it)[1] == "## Records" ? "FrameHeader" : (*it)[1].str();
      continue;
    }
    const Field field{current, (*it)[3]};
    auto known = offsets.find(field);
    if (known == offsets.end()) {
      ADD_FAILURE() << "no field " << current << "::" << field.second;
      continue;
    }
    found[field] = std::stoul((*it)[2]);
    EXPECT_EQ(found[field], known->second) << current << "::" << field.second;
  }
  for (const auto& o : offsets) {
    EXPECT_EQ(found.count(o.first), 1u)
        << o.first.first << "::" << o.first.second << " is not in the document";
  }
}

TEST(LayoutDoc, ObjectsHaveTheirSize) {
  const std::string doc = ReadDoc();
  size_t found = 0;
  const std::map<std::string, size_t> sizes = Sizes();
  const std::regex heading("## .*: ([A-Za-z]+), ([0-9]+) bytes");
  for (Iterator it(doc.begin(), doc.end(), heading), end; it != end; ++it) {
    const auto known = sizes.find((*it)[1]);
    ASSERT_NE(known, sizes.end()) << (*it)[0];
    EXPECT_EQ(std::stoul((*it)[2]), known->second) << (*it)[0];
    ++found;
  }
  EXPECT_EQ(found, sizes.size());
}

TEST(LayoutDoc, ConnectionPageIsDrawnAsItIs) {
  const std::string doc = ReadDoc();
  for (const auto& part : PageOffsets()) {
    const std::regex line("([0-9]+) \\| " + part.first);
    std::smatch match;
    ASSERT_TRUE(std::regex_search(doc, match, line)) << part.first;
    EXPECT_EQ(std::stoul(match[1]), part.second) << part.first;
  }
}

TEST(LayoutDoc, VersionIsTheLibrarys) {
  const std::string doc = ReadDoc();
  const std::string version = std::to_string(kLayoutVersion);
  EXPECT_NE(doc.find("Layout version " + version + "."), std::string::npos);
  size_t found = 0;
  const std::regex field("`layout_version` \\| ([0-9]+) ");
  for (Iterator it(doc.begin(), doc.end(), field), end; it != end; ++it) {
    EXPECT_EQ((*it)[1], version);
    ++found;
  }
  EXPECT_EQ(found, 2u);  // lobby and connection
}

TEST(LayoutDoc, KindsAndFlagsAreListed) {
  const std::string doc = ReadDoc();
  std::map<std::string, size_t> found;
  const std::regex row("\n\\| ([0-9]+) \\| ([a-z ]+) \\|");
  for (Iterator it(doc.begin(), doc.end(), row), end; it != end; ++it) {
    found[(*it)[2]] = std::stoul((*it)[1]);
  }
  EXPECT_EQ(found, KindsAndFlags());
}

}  // namespace
}  // namespace memory
}  // namespace shmrpc
