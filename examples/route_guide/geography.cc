#include "examples/route_guide/geography.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace routeguide {
namespace {

constexpr double kUnitsPerDegree = 1e7;
constexpr double kEarthRadiusMeters = 6371000;
constexpr double kPi = 3.14159265358979323846;

double Radians(int32_t units) { return units / kUnitsPerDegree * kPi / 180; }

double SquaredSine(double x) { return std::sin(x) * std::sin(x); }

bool Between(int32_t a, int32_t b, int32_t x) {
  return std::min(a, b) <= x && x <= std::max(a, b);
}

std::string Degrees(int32_t units, char positive, char negative) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.5f %c",
                std::fabs(units / kUnitsPerDegree),
                units < 0 ? negative : positive);
  return text;
}

}  // namespace

Point MakePoint(double latitude, double longitude) {
  Point point;
  point.set_latitude(
      static_cast<int32_t>(std::lround(latitude * kUnitsPerDegree)));
  point.set_longitude(
      static_cast<int32_t>(std::lround(longitude * kUnitsPerDegree)));
  return point;
}

bool SamePoint(const Point& a, const Point& b) {
  return a.latitude() == b.latitude() && a.longitude() == b.longitude();
}

bool Contains(const Rectangle& area, const Point& point) {
  return Between(area.lo().latitude(), area.hi().latitude(),
                 point.latitude()) &&
         Between(area.lo().longitude(), area.hi().longitude(),
                 point.longitude());
}

double Distance(const Point& a, const Point& b) {
  const double latitude_a = Radians(a.latitude());
  const double latitude_b = Radians(b.latitude());
  const double longitude_a = Radians(a.longitude());
  const double longitude_b = Radians(b.longitude());
  const double h = SquaredSine((latitude_b - latitude_a) / 2) +
                   std::cos(latitude_a) * std::cos(latitude_b) *
                       SquaredSine((longitude_b - longitude_a) / 2);
  // Rounding may leave h a little above 1 for opposite points.
  return 2 * kEarthRadiusMeters * std::asin(std::sqrt(std::min(h, 1.0)));
}

std::string ToString(const Point& point) {
  return Degrees(point.latitude(), 'N', 'S') + ", " +
         Degrees(point.longitude(), 'E', 'W');
}

}  // namespace routeguide
