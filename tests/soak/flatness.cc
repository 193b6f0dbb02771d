#include "tests/soak/flatness.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shmrpc {
namespace testing {

bool Flatness::IsBack(const Footprint& footprint) const {
  if (samples_.empty()) return true;
  const Footprint& baseline = samples_.front().footprint;
  return footprint.handles <= baseline.handles &&
         footprint.mapped_bytes <= baseline.mapped_bytes &&
         footprint.shm_bytes <= baseline.shm_bytes;
}

void Flatness::Add(double second, const Footprint& footprint) {
  samples_.push_back({second, footprint});
}

double Flatness::Slope(int64_t Footprint::*bytes) const {
  double mean_x = 0, mean_y = 0;
  for (const Sample& sample : samples_) {
    mean_x += sample.second / static_cast<double>(samples_.size());
    mean_y += static_cast<double>(sample.footprint.*bytes) /
              static_cast<double>(samples_.size());
  }
  double xx = 0, xy = 0;
  for (const Sample& sample : samples_) {
    const double x = sample.second - mean_x;
    xx += x * x;
    xy += x * (static_cast<double>(sample.footprint.*bytes) - mean_y);
  }
  return xx > 0 ? xy / xx : 0;
}

std::string Flatness::Growth(const char* name, int64_t Footprint::*bytes,
                             int64_t slack) const {
  if (slack == 0) return "";
  const int64_t by_ends =
      samples_.back().footprint.*bytes - samples_.front().footprint.*bytes;
  const int64_t by_slope = static_cast<int64_t>(
      Slope(bytes) * (samples_.back().second - samples_.front().second));
  if (by_ends <= slack && by_slope <= slack) return "";
  return absl::StrCat(whose_, "'s ", name, " grew by ", by_ends >> 10,
                      " KiB (by its slope: ", by_slope >> 10, " KiB), allowed ",
                      slack >> 10, " KiB");
}

std::vector<std::string> Flatness::Complaints() const {
  std::vector<std::string> complaints;
  if (samples_.size() < 2) {
    complaints.push_back(absl::StrCat(whose_, " was not looked at twice"));
    return complaints;
  }
  for (const Sample& sample : samples_) {
    if (IsBack(sample.footprint)) continue;
    complaints.push_back(absl::StrFormat(
        "%s did not give back what it had: at %.0f s %s; at the beginning %s",
        whose_, sample.second, absl::FormatStreamed(sample.footprint),
        absl::FormatStreamed(samples_.front().footprint)));
  }
  for (const std::string& growth :
       {Growth("heap", &Footprint::heap_bytes, limits_.heap_slack_bytes),
        Growth("private memory", &Footprint::private_bytes,
               limits_.private_slack_bytes)}) {
    if (!growth.empty()) complaints.push_back(growth);
  }
  return complaints;
}

std::string Flatness::Report() const {
  if (samples_.empty()) return absl::StrCat(whose_, ": never at rest");
  const Footprint& first = samples_.front().footprint;
  const Footprint& last = samples_.back().footprint;
  return absl::StrFormat(
      "%s: %s\n  after %d rests, %.0f s: %s\n"
      "  growth: %d handles, %d bytes mapped, %d bytes in /dev/shm, "
      "heap %+d KiB (slope %+.2f KiB/s), private %+d KiB (slope %+.2f KiB/s)",
      whose_, absl::FormatStreamed(first), samples_.size() - 1,
      samples_.back().second - samples_.front().second,
      absl::FormatStreamed(last), last.handles - first.handles,
      last.mapped_bytes - first.mapped_bytes, last.shm_bytes - first.shm_bytes,
      (last.heap_bytes - first.heap_bytes) / 1024,
      Slope(&Footprint::heap_bytes) / 1024,
      (last.private_bytes - first.private_bytes) / 1024,
      Slope(&Footprint::private_bytes) / 1024);
}

}  // namespace testing
}  // namespace shmrpc
