// SPDX-License-Identifier: MIT
// The board's end of a cable: a pseudo-terminal, or one TCP connection at a time, for programs that open serial ports.
// Nothing ever blocks. What the other end does not read in time is lost, as on a line.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

class Line {
 public:
  virtual ~Line() = default;
  virtual std::string name() const = 0;  // what the host opens
  virtual int descriptor() const = 0;    // readable when read() has something to do
  virtual ssize_t read(uint8_t *data, size_t size) = 0;
  virtual void write(const uint8_t *data, size_t size) = 0;
  virtual unsigned baud() const { return 0; }  // of the host's end; 0 where that is unknown

 protected:
  [[noreturn]] static void fail(const char *what) {
    perror(what);
    exit(2);
  }
};

// Known under a symbolic link. The slave stays open here too: else the master fails whenever nobody has the port open.
class Pty : public Line {
 public:
  explicit Pty(const std::string &link) : link_(link) {
    char slave[128];
    if (openpty(&master_, &slave_, slave, nullptr, nullptr)) fail("openpty");
    termios raw;
    tcgetattr(slave_, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave_, TCSANOW, &raw);
    fcntl(master_, F_SETFL, O_NONBLOCK);
    unlink(link.c_str());
    if (symlink(slave, link.c_str())) fail(link.c_str());
  }
  ~Pty() override { unlink(link_.c_str()); }
  std::string name() const override { return link_; }
  int descriptor() const override { return master_; }
  ssize_t read(uint8_t *data, size_t size) override { return ::read(master_, data, size); }
  void write(const uint8_t *data, size_t size) override {
    while (size) {
      ssize_t done = ::write(master_, data, size);
      if (done <= 0) return;
      data += done;
      size -= size_t(done);
    }
  }
  unsigned baud() const override {
    static const std::map<speed_t, unsigned> rates = {
        {B9600, 9600},     {B19200, 19200},   {B38400, 38400},     {B57600, 57600},     {B115200, 115200},
        {B230400, 230400}, {B460800, 460800}, {B921600, 921600},   {B1000000, 1000000}, {B1500000, 1500000},
        {B2000000, 2000000}, {B3000000, 3000000},
    };
    termios now;
    if (tcgetattr(master_, &now)) return 0;
    auto found = rates.find(cfgetospeed(&now));
    return found == rates.end() ? 0 : found->second;
  }

 private:
  std::string link_;
  int master_ = -1, slave_ = -1;
};

class Tcp : public Line {
 public:
  explicit Tcp(uint16_t port) {
    signal(SIGPIPE, SIG_IGN);
    server_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int on = 1;
    setsockopt(server_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto *address = reinterpret_cast<sockaddr *>(&here);
    if (server_ < 0 || bind(server_, address, size) || listen(server_, 1) || getsockname(server_, address, &size))
      fail("socket");
    name_ = "socket://127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  std::string name() const override { return name_; }
  int descriptor() const override { return client_ < 0 ? server_ : client_; }
  ssize_t read(uint8_t *data, size_t size) override {
    if (client_ < 0) {
      client_ = accept4(server_, nullptr, nullptr, SOCK_NONBLOCK);
      int on = 1;
      if (client_ >= 0) setsockopt(client_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return 0;
    }
    ssize_t got = recv(client_, data, size, 0);
    if (!got || (got < 0 && errno != EAGAIN)) drop();
    return got;
  }
  void write(const uint8_t *data, size_t size) override {
    while (size && client_ >= 0) {
      ssize_t done = send(client_, data, size, 0);
      if (done <= 0) {
        if (errno != EAGAIN) drop();
        return;
      }
      data += done;
      size -= size_t(done);
    }
  }

 private:
  void drop() {
    close(client_);
    client_ = -1;
  }
  std::string name_;
  int server_ = -1, client_ = -1;
};
