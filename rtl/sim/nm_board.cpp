// SPDX-License-Identifier: MIT
// A board made of nm_device (Verilated) behind a port: `nm_board --link PATH | --tcp PORT [--pace]`.
// Prints the port's name, then serves until its standard input ends. Memories are read from the working directory.
//
// The boundary is bytes: a UART of 50 clocks a bit would cost four times as many cycles as the network. Received bytes
// come without such pauses, or with --pace when they would on a real line. The clock stands while there is nothing to
// do; only the time-out after SET_BAUD needs it then: the clock on the wall ends it with a break, which does the same.
#include <poll.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vnm_device.h"
#include "line.h"
#include "verilated.h"

namespace {

const double CLOCK = 50e6;
const int BITS = 10;             // of a byte on the line
const int BURST = 50000;         // cycles between two looks at the line
const int BYTE_GAP = 8;          // cycles between two received bytes; the link takes one in every cycle
// Cycles without a sign of life after which nothing can be under way: handing a hop's samples to the core takes 500, a
// command up to one for each byte of an image.
const int SETTLED_HOP = 1000, SETTLED_COMMAND = 14000;
const double CONFIRM = 0.5;      // seconds for HELLO after SET_BAUD
const double BAUD_TOLERANCE = 0.03;
const int IDLE_MS = 20;

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

struct Timed {
  double at;
  uint8_t data;
};

// Bytes under way in one direction.
class Wire {
 public:
  void put(uint8_t data, double time, double baud) {  // baud 0: at once
    if (baud) free_ = std::max(free_, time) + BITS / baud;
    bytes_.push_back({baud ? free_ : time, data});
  }
  bool due(double time) const { return !bytes_.empty() && bytes_.front().at <= time; }
  uint8_t take() {
    uint8_t data = bytes_.front().data;
    bytes_.pop_front();
    return data;
  }
  double next() const { return bytes_.empty() ? -1 : bytes_.front().at; }

 private:
  std::deque<Timed> bytes_;
  double free_ = 0;
};

class Board {
 public:
  Board(std::unique_ptr<Line> line, bool pace) : line_(std::move(line)), pace_(pace) {
    device_->rst = 1;
    device_->tx_ready = 1;
    device_->tx_idle = 1;
    tick();
    device_->rst = 0;
    tick();
    divisor_ = device_->divisor;
  }

  void serve() {
    printf("%s\n", line_->name().c_str());
    fflush(stdout);
    while (wait()) {
      receive();
      expire();
      if (in_.due(now()) || alive_) burst();
      send();
    }
  }

 private:
  void tick() {
    device_->clk = 1;
    device_->eval();
    device_->clk = 0;
    device_->eval();
  }

  double rate() const { return CLOCK / device_->divisor; }

  // Until something may have to be done; false when standard input has ended.
  bool wait() {
    int timeout = alive_ ? 0 : IDLE_MS;
    for (const Wire *wire : {&in_, &out_})
      if (wire->next() >= 0) timeout = std::min(timeout, std::max(0, int(1e3 * (wire->next() - now()))));
    pollfd watched[2] = {{0, POLLIN, 0}, {line_->descriptor(), POLLIN, 0}};
    poll(watched, 2, timeout);
    char ignored[256];
    return !(watched[0].revents & (POLLIN | POLLHUP)) || ::read(0, ignored, sizeof ignored) > 0;
  }

  void receive() {
    uint8_t data[4096];
    ssize_t got = line_->read(data, sizeof data);
    for (ssize_t i = 0; i < got; i++) in_.put(data[i], now(), pace_ ? rate() : 0);
  }

  // The end of the time-out after SET_BAUD that the standing clock does not bring: nothing was received at the new rate.
  void expire() {
    if (device_->divisor != divisor_) {
      divisor_ = device_->divisor;
      unconfirmed_since_ = now();
    }
    if (!unconfirmed_since_ || now() - unconfirmed_since_ < CONFIRM) return;
    unconfirmed_since_ = 0;
    device_->rx_break = 1;
    tick();
    device_->rx_break = 0;
    tick();
    divisor_ = device_->divisor;
  }

  // What a received byte says about how long its frame keeps the device busy. The third byte of a frame is its type:
  // neither that nor the version before it is ever zero, so that COBS leaves both where they are.
  void follow(uint8_t data) {
    if (data) {
      if (++position_ == 3) settled_ = data == KWS_TYPE_PCM_FRAME ? SETTLED_HOP : SETTLED_COMMAND;
    } else position_ = 0;
  }

  void burst() {
    unsigned host = line_->baud();
    bool readable = !host || std::abs(host / rate() - 1) < BAUD_TOLERANCE;
    int gap = 0;
    double time = now();
    for (int cycle = 0; cycle < BURST; cycle++) {
      bool byte = gap <= 0 && in_.due(time);
      if (byte) {
        device_->rx_data = in_.take();
        gap = BYTE_GAP;
        follow(device_->rx_data);
        if (readable) unconfirmed_since_ = 0;
      }
      device_->rx_valid = byte && readable;
      device_->rx_framing_error = byte && !readable;
      gap--;
      bool sent = device_->tx_valid;
      if (sent) out_.put(device_->tx_data, time, pace_ ? rate() : 0);
      bool frame_sent = sent && !device_->tx_data;
      tick();
      quiet_ = byte || sent || device_->busy ? 0 : quiet_ + 1;
      alive_ = quiet_ < settled_ || in_.due(time);
      if (frame_sent || !alive_) break;
    }
    device_->rx_valid = device_->rx_framing_error = 0;
  }

  void send() {
    std::vector<uint8_t> data;
    for (double time = now(); out_.due(time);) data.push_back(out_.take());
    if (!data.empty()) line_->write(data.data(), data.size());
  }

  std::unique_ptr<Vnm_device> device_{new Vnm_device};
  std::unique_ptr<Line> line_;
  bool pace_;
  Wire in_, out_;
  bool alive_ = true;
  int quiet_ = 0, settled_ = SETTLED_COMMAND, position_ = 0;
  unsigned divisor_ = 0;
  double unconfirmed_since_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
  std::unique_ptr<Line> line;
  bool pace = false;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--pace")) pace = true;
    else if (!strcmp(argv[i], "--link") && i + 1 < argc) line.reset(new Pty(argv[++i]));
    else if (!strcmp(argv[i], "--tcp") && i + 1 < argc) line.reset(new Tcp(uint16_t(atoi(argv[++i]))));
  }
  if (!line) {
    fprintf(stderr, "usage: nm_board --link PATH | --tcp PORT [--pace]\n");
    return 2;
  }
  Board(std::move(line), pace).serve();
  return 0;
}
