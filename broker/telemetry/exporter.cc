#include "broker/telemetry/exporter.h"

#include <absl/synchronization/notification.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <list>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "base/loop.h"

namespace broker {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr auto kBackOff = std::chrono::milliseconds(100);

Response text_answer(http::status status, std::string body) {
  Response answer{status, 11};
  answer.set(http::field::content_type, "text/plain; charset=utf-8");
  answer.body() = std::move(body);
  return answer;
}

Response answer_to(const Request& request, const base::Metrics& metrics) {
  const auto target = request.target();
  const auto path = target.substr(0, target.find('?'));
  if (path != "/metrics") return text_answer(http::status::not_found, "Nothing here but /metrics\n");
  if (request.method() != http::verb::get) {
    auto answer = text_answer(http::status::method_not_allowed, "Only GET\n");
    answer.set(http::field::allow, "GET");
    return answer;
  }
  auto answer = text_answer(http::status::ok, metrics.page());
  answer.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
  return answer;
}

// Who is being served. Lives on the exporter's loop.
struct Visitor {
  Visitor(tcp::socket socket, std::size_t max_request_bytes) : stream(std::move(socket)), received(max_request_bytes) {
    parser.header_limit(static_cast<std::uint32_t>(max_request_bytes));
    parser.body_limit(0);
  }
  beast::tcp_stream stream;
  beast::flat_buffer received;
  http::request_parser<http::empty_body> parser;
  Response answer;
};

}  // namespace

struct Exporter::Impl {
  Impl(ExporterSettings given, const base::Metrics& shown) : settings(std::move(given)), metrics(shown) {}

  base::Status bind();
  base::Status refused(std::string_view what, const error_code& error) const;
  // On the loop:
  void accept();
  void serve(const std::shared_ptr<Visitor>& visitor);
  void answer(const std::shared_ptr<Visitor>& visitor);
  void leave(const std::shared_ptr<Visitor>& visitor);
  void close();
  void look_whether_empty();

  const ExporterSettings settings;
  const base::Metrics& metrics;
  const base::Logger log{"weir.Metrics"};
  base::Loop loop{"weir-metrics"};
  std::uint16_t port = 0;
  bool started = false;
  // On the loop, once started:
  tcp::acceptor acceptor{loop.context()};
  std::unique_ptr<base::Timer> retry = loop.make_timer();
  std::list<std::shared_ptr<Visitor>> visitors;
  bool accepting = false;
  bool closing = false;
  absl::Notification empty;  // closing, and nothing is under way
};

base::Status Exporter::Impl::refused(std::string_view what, const error_code& error) const {
  return base::fail(base::ErrorCode::invalid_config, "metrics.listener={}:{}: cannot {}: {}", settings.host,
                    settings.port, what, error.message());
}

base::Status Exporter::Impl::bind() {
  error_code error;
  tcp::resolver resolver(loop.context());
  const auto host = settings.host.empty() ? std::string("0.0.0.0") : settings.host;
  const auto found = resolver.resolve(host, std::to_string(settings.port), tcp::resolver::passive, error);
  if (error || found.empty()) return refused("resolve it", error);
  const tcp::endpoint endpoint = *found.begin();
  if (acceptor.open(endpoint.protocol(), error); error) return refused("open a socket", error);
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), error); error) return refused("set options", error);
  if (acceptor.bind(endpoint, error); error) return refused("bind", error);
  if (acceptor.listen(static_cast<int>(settings.max_connections), error); error) return refused("listen", error);
  port = acceptor.local_endpoint(error).port();
  return {};
}

void Exporter::Impl::accept() {
  if (accepting || !acceptor.is_open() || visitors.size() >= settings.max_connections) return;
  accepting = true;
  acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
    accepting = false;
    if (closing) return look_whether_empty();
    // Out of descriptors: the visitor stays in the backlog, and asking again at once would spin.
    if (error) return retry->arm(kBackOff, [this] { accept(); });
    serve(visitors.emplace_back(std::make_shared<Visitor>(std::move(socket), settings.max_request_bytes)));
    accept();
  });
}

void Exporter::Impl::serve(const std::shared_ptr<Visitor>& visitor) {
  visitor->stream.expires_after(settings.max_time);
  http::async_read(visitor->stream, visitor->received, visitor->parser,
                   [this, visitor](const error_code& error, std::size_t) {
                     if (!error) {
                       visitor->answer = answer_to(visitor->parser.get(), metrics);
                     } else if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
                                error != http::error::end_of_stream) {
                       visitor->answer = text_answer(http::status::bad_request, error.message() + "\n");
                     } else {
                       return leave(visitor);
                     }
                     answer(visitor);
                   });
}

void Exporter::Impl::answer(const std::shared_ptr<Visitor>& visitor) {
  visitor->answer.set(http::field::server, "weir");
  visitor->answer.keep_alive(false);
  visitor->answer.prepare_payload();
  http::async_write(visitor->stream, visitor->answer, [this, visitor](const error_code&, std::size_t) {
    error_code ignored;
    visitor->stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    leave(visitor);
  });
}

void Exporter::Impl::leave(const std::shared_ptr<Visitor>& visitor) {
  visitor->stream.close();
  visitors.remove(visitor);
  if (closing) return look_whether_empty();
  accept();
}

// What is under way ends with an error, each in its turn.
void Exporter::Impl::close() {
  closing = true;
  retry->cancel();
  error_code ignored;
  acceptor.close(ignored);
  for (const auto& visitor : visitors) visitor->stream.close();
  look_whether_empty();
}

void Exporter::Impl::look_whether_empty() {
  if (!accepting && visitors.empty() && !empty.HasBeenNotified()) empty.Notify();
}

Exporter::Exporter(ExporterSettings settings, const base::Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(settings), metrics)) {}

Exporter::~Exporter() { stop(); }

base::Status Exporter::start() {
  if (auto bound = impl_->bind(); !bound) return bound;
  impl_->started = true;
  impl_->loop.start();
  impl_->loop.post([impl = impl_.get()] { impl->accept(); });
  impl_->log.info("Metrics at http://{}:{}/metrics", impl_->settings.host.empty() ? "*" : impl_->settings.host,
                  impl_->port);
  return {};
}

void Exporter::stop() {
  if (!std::exchange(impl_->started, false)) return;
  impl_->loop.post([impl = impl_.get()] { impl->close(); });
  impl_->empty.WaitForNotification();
  impl_->loop.stop();
}

std::uint16_t Exporter::port() const { return impl_->port; }

}  // namespace broker
