// The page that shows a training, in its three files. Nothing on it comes from elsewhere.
#pragma once

#include <string_view>

namespace herd::cli {

extern const std::string_view dashboard_html;  // names the two others as page.css and page.js
extern const std::string_view dashboard_css;
extern const std::string_view dashboard_js;

}  // namespace herd::cli
