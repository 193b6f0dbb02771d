// Points and the distances between them.

#ifndef SHMRPC_EXAMPLES_ROUTE_GUIDE_GEOGRAPHY_H_
#define SHMRPC_EXAMPLES_ROUTE_GUIDE_GEOGRAPHY_H_

#include <string>

#include "examples/route_guide/route_guide.pb.h"

namespace routeguide {

// In degrees. A point's unit is too fine to show rounding.
Point MakePoint(double latitude, double longitude);

bool SamePoint(const Point& a, const Point& b);

// Whichever two opposite corners it is given. Not across the 180th meridian.
bool Contains(const Rectangle& area, const Point& point);

// Along the great circle, in meters (the haversine formula).
double Distance(const Point& a, const Point& b);

// "54.40120 N, 10.21010 E"
std::string ToString(const Point& point);

}  // namespace routeguide

#endif  // SHMRPC_EXAMPLES_ROUTE_GUIDE_GEOGRAPHY_H_
