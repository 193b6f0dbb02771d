#include "tests/soak/flatness.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shmrpc {
namespace testing {

bool Flatness::IsBack(const Footprint& footprint) const {
  return samples_.empty() ||
         footprint.IsWithin(samples_.front().consumption.footprint);
}

void Flatness::Add(double second, const Consumption& consumption) {
  samples_.push_back({second, consumption});
}

double Flatness::Slope(int64_t Consumption::*bytes) const {
  double mean_x = 0, mean_y = 0;
  for (const Sample& sample : samples_) {
    mean_x += sample.second / static_cast<double>(samples_.size());
    mean_y += static_cast<double>(sample.consumption.*bytes) /
              static_cast<double>(samples_.size());
  }
  double xx = 0, xy = 0;
  for (const Sample& sample : samples_) {
    const double x = sample.second - mean_x;
    xx += x * x;
    xy += x * (static_cast<double>(sample.consumption.*bytes) - mean_y);
  }
  return xx > 0 ? xy / xx : 0;
}

std::string Flatness::Growth(const char* name, int64_t Consumption::*bytes,
                             int64_t slack) const {
  if (slack == 0) return "";
  const int64_t by_ends =
      samples_.back().consumption.*bytes - samples_.front().consumption.*bytes;
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
    if (IsBack(sample.consumption.footprint)) continue;
    complaints.push_back(absl::StrFormat(
        "%s did not give back what it had: at %.0f s %s; at the beginning %s",
        whose_, sample.second, absl::FormatStreamed(sample.consumption),
        absl::FormatStreamed(samples_.front().consumption)));
  }
  for (const std::string& growth :
       {Growth("heap", &Consumption::heap_bytes, limits_.heap_slack_bytes),
        Growth("private memory", &Consumption::private_bytes,
               limits_.private_slack_bytes)}) {
    if (!growth.empty()) complaints.push_back(growth);
  }
  return complaints;
}

std::string Flatness::Report() const {
  if (samples_.empty()) return absl::StrCat(whose_, ": never at rest");
  const Consumption& first = samples_.front().consumption;
  const Consumption& last = samples_.back().consumption;
  const Footprint& held_first = first.footprint;
  const Footprint& held_last = last.footprint;
  return absl::StrFormat(
      "%s: %s\n  after %d rests, %.0f s: %s\n"
      "  growth: %d handles, %d mappings, %d bytes mapped, %d bytes in "
      "/dev/shm, heap %+d KiB (slope %+.2f KiB/s), private %+d KiB (slope "
      "%+.2f KiB/s)",
      whose_, absl::FormatStreamed(first), samples_.size() - 1,
      samples_.back().second - samples_.front().second,
      absl::FormatStreamed(last), held_last.handles - held_first.handles,
      held_last.mappings - held_first.mappings,
      held_last.mapped_bytes - held_first.mapped_bytes,
      held_last.shm_bytes - held_first.shm_bytes,
      (last.heap_bytes - first.heap_bytes) / 1024,
      Slope(&Consumption::heap_bytes) / 1024,
      (last.private_bytes - first.private_bytes) / 1024,
      Slope(&Consumption::private_bytes) / 1024);
}

}  // namespace testing
}  // namespace shmrpc
