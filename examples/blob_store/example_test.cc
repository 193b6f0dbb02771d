// Runs server and client against each other, and reads what the client prints.

#include <cstdlib>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "examples/blob_store/blob_store.shmrpc.pb.h"
#include "examples/blob_store/digest.h"
#include "examples/blob_store/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shmrpc/shmrpc.h"
#include "transport/platform/testing/leftovers.h"
#include "transport/platform/testing/subprocess.h"

namespace blobs {
namespace {

using ::shmrpc::testing::Leftovers;
using ::shmrpc::testing::Subprocess;
using ::shmrpc::testing::UniqueName;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class BlobStoreExample : public ::testing::Test {
 protected:
  BlobStoreExample() : server_(std::getenv("SERVER"), {name_}) {
    EXPECT_EQ(server_.ReadLine(), "listening on shm:" + name_);
  }

  ~BlobStoreExample() override {
    server_.CloseStdin();
    EXPECT_TRUE(server_.Wait().ok());
    EXPECT_THAT(Leftovers("shmrpc.srv." + name_), IsEmpty());
  }

  // What the client prints for a blob of so many MiB; times and rates, which
  // differ, as N.
  std::vector<std::string> RunClient(const std::string& mebibytes) {
    Subprocess client(std::getenv("CLIENT"), {name_, mebibytes});
    std::vector<std::string> lines;
    const std::regex figure("[0-9]+ (ms|MB)");
    while (auto line = client.ReadLine()) {
      lines.push_back(std::regex_replace(*line, figure, "N $1"));
    }
    EXPECT_TRUE(client.Wait().ok());
    return lines;
  }

  // Uploads `parts` and says how that ended.
  shmrpc::Status Upload(const std::vector<BlobPart>& parts) {
    auto stub = BlobStore::NewStub(shmrpc::CreateChannel(
        "shm:" + name_, shmrpc::InsecureChannelCredentials()));
    shmrpc::ClientContext context;
    BlobInfo result;
    auto writer = stub->Upload(&context, &result);
    for (const BlobPart& part : parts) {
      if (!writer->Write(part)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }

  const std::string name_ = UniqueName("test.blobs");
  Subprocess server_;
};

BlobPart Info(int64_t size_bytes, uint64_t digest) {
  BlobPart part;
  part.mutable_info()->set_name("blob");
  part.mutable_info()->set_size_bytes(size_bytes);
  part.mutable_info()->set_digest(digest);
  return part;
}

BlobPart Data(const std::string& data) {
  BlobPart part;
  part.set_data(data);
  return part;
}

TEST_F(BlobStoreExample, BlobsComeBackAsTheyWere) {
  const std::string moved = ": 67108864 bytes in N ms, N MB/s";
  const std::vector<std::string> lines = RunClient("64");
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0], "upload in parts" + moved);
  EXPECT_EQ(lines[1], "download in parts" + moved);
  EXPECT_EQ(lines[2], "  the digest is right");
  EXPECT_EQ(lines[3], "upload whole" + moved);
  EXPECT_THAT(lines[4],
              AllOf(StartsWith("download whole, limit as it comes: failed: "
                               "RESOURCE_EXHAUSTED: Received message larger "
                               "than max (67108"),
                    EndsWith(" vs. 4194304)")));
  EXPECT_EQ(lines[5], "download whole, limit raised" + moved);
  EXPECT_EQ(lines[6], "  the digest is right");
}

TEST_F(BlobStoreExample, BlobsBelowTheLimitNeedNoOther) {
  const std::string moved = ": 1048576 bytes in N ms, N MB/s";
  EXPECT_THAT(RunClient("1"),
              ElementsAre("upload in parts" + moved,    //
                          "download in parts" + moved,  //
                          "  the digest is right",      //
                          "upload whole" + moved,       //
                          "download whole, limit as it comes" + moved,
                          "download whole, limit raised" + moved,
                          "  the digest is right"));
}

TEST_F(BlobStoreExample, EmptyBlobIsOne) {
  EXPECT_TRUE(Upload({Info(0, Digest(""))}).ok());
}

TEST_F(BlobStoreExample, UploadThatIsNotWhatItsInfoSaysIsRefused) {
  const uint64_t digest = Digest("abcdef");
  EXPECT_TRUE(Upload({Info(6, digest), Data("abc"), Data("def")}).ok());
  for (const std::vector<BlobPart>& parts : std::vector<std::vector<BlobPart>>{
           {Info(6, digest), Data("abc")},
           {Info(6, digest), Data("def"), Data("abc")},
           {Info(6, digest), Data("abcdef"), Data("g")},
           {Info(6, digest), Data("abcdef"), Data("g"), Data("h")}}) {
    const shmrpc::Status status = Upload(parts);
    EXPECT_EQ(status.error_code(), shmrpc::DATA_LOSS);
    EXPECT_EQ(status.error_message(), "blob did not arrive as it was sent");
  }
  for (const std::vector<BlobPart>& parts :
       std::vector<std::vector<BlobPart>>{{},
                                          {Data("abc")},
                                          {Info(-1, digest)},
                                          {Info(kMaxBlobBytes + 1, digest)}}) {
    EXPECT_EQ(Upload(parts).error_code(), shmrpc::INVALID_ARGUMENT);
  }
}

TEST_F(BlobStoreExample, UnknownNameIsNotFound) {
  auto stub = BlobStore::NewStub(shmrpc::CreateChannel(
      "shm:" + name_, shmrpc::InsecureChannelCredentials()));
  BlobName request;
  request.set_name("nobody's");
  {
    shmrpc::ClientContext context;
    auto reader = stub->Download(&context, request);
    BlobPart part;
    EXPECT_FALSE(reader->Read(&part));
    const shmrpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), shmrpc::NOT_FOUND);
    EXPECT_EQ(status.error_message(), "no blob is called nobody's");
  }
  shmrpc::ClientContext context;
  Blob blob;
  EXPECT_EQ(stub->DownloadWhole(&context, request, &blob).error_code(),
            shmrpc::NOT_FOUND);
}

TEST(BlobClient, WithoutServerFails) {
  Subprocess client(std::getenv("CLIENT"), {UniqueName("test.blobs"), "1"});
  EXPECT_THAT(client.ReadLine().value_or(""),
              StartsWith("upload in parts: failed: UNAVAILABLE: "));
  EXPECT_EQ(client.Wait().code, 1);
}

TEST(Digest, ShowsLossAndDisorder) {
  EXPECT_EQ(Digest("the same"), Digest("the same"));
  EXPECT_NE(Digest(""), Digest(std::string(1, '\0')));
  EXPECT_NE(Digest(std::string(8, '\0')), Digest(std::string(16, '\0')));
  EXPECT_NE(Digest("01234567abcdefgh"), Digest("abcdefgh01234567"));
}

}  // namespace
}  // namespace blobs
