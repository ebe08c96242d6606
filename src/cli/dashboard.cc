#include "cli/dashboard.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/dashboard_page.h"
#include "server/http.h"

namespace herd::cli {
namespace {

constexpr std::size_t rows_sent_max = 1000;
constexpr std::uint64_t curves_bytes_max = std::uint64_t{1} << 30;
constexpr std::size_t speeds_looked_at = 20;  // of the latest steps, for telling the time left
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// One step, or the mean of several, as the page draws it; unknown where there is no number.
struct Row {
  double step = 0, tokens = 0;
  double loss = 0, held_out = unknown, rate = 0, gradient = 0, speed = 0, worst = 0;
};

double number_in(std::string_view field) {
  double number = unknown;
  const auto read = std::from_chars(field.data(), field.data() + field.size(), number);
  return read.ec == std::errc() && read.ptr == field.data() + field.size() ? number : unknown;
}

// The steps of curves.csv; lines that are none are passed over.
std::vector<Row> read_rows(const fs::path& curves) {
  std::vector<Row> rows;
  const std::string text = read_file(curves, curves_bytes_max).value_or(std::string());
  for (std::size_t at = std::min(text.find('\n'), text.size()); at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at + 1), text.size());
    std::string_view line = std::string_view(text).substr(at + 1, end - at - 1);
    at = end;
    std::vector<std::string_view> fields;
    while (true) {
      const std::size_t comma = line.find(',');
      fields.push_back(line.substr(0, comma));
      if (comma == std::string_view::npos) break;
      line.remove_prefix(comma + 1);
    }
    if (fields.size() != 11) continue;
    rows.push_back({.step = number_in(fields[0]),
                    .tokens = number_in(fields[2]),
                    .loss = number_in(fields[3]),
                    .held_out = number_in(fields[4]),
                    .rate = number_in(fields[5]),
                    .gradient = number_in(fields[6]),
                    .speed = number_in(fields[7]),
                    .worst = number_in(fields[8])});
  }
  return rows;
}

// Means of so many rows that at most rows_sent_max are left; each is where its last row is.
std::vector<Row> thinned(const std::vector<Row>& rows) {
  const std::size_t each = (rows.size() + rows_sent_max - 1) / rows_sent_max;
  std::vector<Row> out;
  for (std::size_t begin = 0; begin < rows.size(); begin += each) {
    const std::size_t end = std::min(begin + each, rows.size());
    Row& row = out.emplace_back(rows[end - 1]);
    for (double Row::* field :
         {&Row::loss, &Row::held_out, &Row::rate, &Row::gradient, &Row::speed, &Row::worst}) {
      double sum = 0, count = 0;
      for (std::size_t i = begin; i < end; ++i) {
        if (!std::isfinite(rows[i].*field)) continue;
        sum += rows[i].*field;
        ++count;
      }
      row.*field = count > 0 ? sum / count : unknown;
    }
  }
  return out;
}

json::value json_of(double x) { return std::isfinite(x) ? json::value(x) : json::value(nullptr); }

class Curves {
 public:
  Curves(std::vector<Row> rows, double tokens) : rows_(std::move(rows)), total_(tokens) {}

  void add(const train::StepReport& report) {
    const std::lock_guard lock(mutex_);
    rows_.push_back({.step = static_cast<double>(report.step),
                     .tokens = static_cast<double>(report.tokens),
                     .loss = report.loss,
                     .held_out = report.held_out.value_or(unknown),
                     .rate = report.rate,
                     .gradient = report.gradient,
                     .speed = static_cast<double>(report.step_tokens) / report.seconds,
                     .worst = report.worst_load});
    latest_ = report;
    skipped_ += report.skipped ? 1 : 0;
  }

  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    json::array rows;
    for (const Row& row : thinned(rows_))
      rows.push_back(json::array{row.step, row.tokens, json_of(row.loss), json_of(row.held_out),
                                 json_of(row.rate), json_of(row.gradient), json_of(row.speed),
                                 json_of(row.worst)});
    json::array loads;
    for (const auto& [layer, count] : latest_.loads) {
      json::array counts(count.begin(), count.end());
      loads.push_back(json::object{{"layer", layer}, {"count", std::move(counts)}});
    }
    const double done = rows_.empty() ? 0 : rows_.back().tokens;
    return json::serialize(json::object{{"rows", std::move(rows)},
                                        {"loads", std::move(loads)},
                                        {"stage", latest_.stage},
                                        {"step", rows_.empty() ? 0 : rows_.back().step},
                                        {"tokens", done},
                                        {"total", total_},
                                        {"unused", latest_.unused_experts},
                                        {"skipped", skipped_},
                                        {"seconds_left", json_of(seconds_left(done))}});
  }

 private:
  [[nodiscard]] double seconds_left(double done) const {
    const std::size_t looked_at = std::min(speeds_looked_at, rows_.size());
    double speed = 0;
    for (std::size_t i = rows_.size() - looked_at; i < rows_.size(); ++i) speed += rows_[i].speed;
    return looked_at == 0 ? unknown
                          : std::max(0.0, total_ - done) * static_cast<double>(looked_at) / speed;
  }

  mutable std::mutex mutex_;
  std::vector<Row> rows_;
  double total_;
  train::StepReport latest_;
  std::int64_t skipped_ = 0;
};

// What is answered to everybody: the page may load nothing but its own files.
server::HttpResponse answer(std::string_view type, std::string body, int status = 200) {
  return {.status = status,
          .headers = {{"content-type", std::string(type) + "; charset=utf-8"},
                      {"content-security-policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
                       "'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"},
                      {"x-content-type-options", "nosniff"},
                      {"referrer-policy", "no-referrer"},
                      {"cache-control", "no-store"}},
          .body = std::move(body)};
}

// The name by which the browser came, without its port. Only this machine's own: a page from elsewhere whose name
// points here must not read.
bool is_local(const std::string& host) {
  const std::string_view name = std::string_view(host).substr(0, host.rfind(':'));
  return name == "127.0.0.1" || name == "localhost";
}

class Served final : public Dashboard, server::HttpHandler {
 public:
  Served(std::vector<Row> rows, double tokens) : curves_(std::move(rows), tokens) {}

  Result<void> listen(std::uint16_t port) {
    HERD_TRY(server_, server::HttpServer::start(
                          {.port = port, .io_threads = 1, .worker_threads = 1}, *this));
    return {};
  }

  void add(const train::StepReport& report) override { curves_.add(report); }
  [[nodiscard]] std::uint16_t port() const override { return server_->port(); }

 private:
  std::optional<server::HttpResponse> admit(server::HttpRequest& head,
                                            std::uint64_t& body_bytes_max) override {
    body_bytes_max = 0;
    const std::string* host = head.header("host");
    if (host == nullptr || !is_local(*host))
      return answer("text/plain", "this page is for 127.0.0.1 alone\n", 403);
    if (head.method != "GET") return answer("text/plain", "there is nothing here to change\n", 405);
    return std::nullopt;
  }

  // The exchange is shared with its connection.
  void handle(std::shared_ptr<server::Exchange> exchange) override {
    server::HttpResponse response = page(exchange->request().path);
    exchange->post([exchange, response = std::move(response)] { exchange->respond(response); });
  }

  server::HttpResponse refusal(const server::HttpRequest&, int status, std::string_view,
                               std::string message) override {
    return answer("text/plain", message + "\n", status);
  }

  [[nodiscard]] server::HttpResponse page(std::string_view path) const {
    if (path == "/") return answer("text/html", std::string(dashboard_html));
    if (path == "/page.css") return answer("text/css", std::string(dashboard_css));
    if (path == "/page.js") return answer("text/javascript", std::string(dashboard_js));
    if (path == "/curves") return answer("application/json", curves_.text());
    return answer("text/plain", "there is no such page\n", 404);
  }

  Curves curves_;
  std::unique_ptr<server::HttpServer> server_;  // the last member: ends first
};

}  // namespace

Result<std::unique_ptr<Dashboard>> Dashboard::start(std::uint16_t port, const fs::path& curves,
                                                    double tokens) {
  auto served = std::make_unique<Served>(read_rows(curves), tokens);
  if (auto listens = served->listen(port); !listens) {
    Error error = std::move(listens).error();
    if (error.code == Code::address_in_use)
      error.hint = "choose another with --dashboard-port, or 0 for any free one";
    return std::unexpected(std::move(error));
  }
  return served;
}

}  // namespace herd::cli
