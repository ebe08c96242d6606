// What a monitor reads: Prometheus' text format, version 0.0.4.
#pragma once

#include <string>

#include "server/service.h"

namespace herd::server {

// One sample of every metric. No labels: there is one model, and names of keys stay inside.
std::string metrics_text(const Service& service);

}  // namespace herd::server
