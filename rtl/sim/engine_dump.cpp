// SPDX-License-Identifier: MIT
// Runs nm_engine on a recording and writes every result: `engine_dump IMAGE PCM INIT FRAME > results`.
// IMAGE is a memory image, PCM signed 16-bit samples, INIT and FRAME program entries. Each result is 10 bytes: pc (u16)
// and value (s64), little endian; a run ends with pc 0xFFFF and its cycles. Memories are read from the working directory.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vnm_engine.h"
#include "Vnm_engine___024root.h"
#include "verilated.h"

static Vnm_engine *top;

static void tick() {
  top->clk = 1;
  top->eval();
  top->clk = 0;
  top->eval();
}

static void put(uint16_t pc, int64_t value) {
  fwrite(&pc, 2, 1, stdout);
  fwrite(&value, 8, 1, stdout);
}

static std::vector<uint8_t> read(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "%s cannot be read\n", path);
    exit(2);
  }
  std::vector<uint8_t> data;
  for (int c; (c = fgetc(file)) != EOF;) data.push_back(uint8_t(c));
  fclose(file);
  return data;
}

static void run(unsigned entry) {
  auto *root = top->rootp;
  int64_t cycles = 0;
  top->entry = entry;
  top->start = 1;
  tick();
  top->start = 0;
  while (!top->idle) {
    tick();
    cycles++;
    if (root->nm_engine__DOT__done)
      put(root->nm_engine__DOT__sequencer__DOT__now_q, int64_t(root->nm_engine__DOT__result << 22) >> 22);
  }
  put(0xFFFF, cycles);
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: engine_dump IMAGE PCM INIT FRAME\n");
    return 2;
  }
  auto image = read(argv[1]), pcm = read(argv[2]);
  top = new Vnm_engine;
  top->rst = 1;
  tick();
  top->rst = 0;
  for (size_t i = 0; i < image.size(); i++) {
    top->w_en = 1;
    top->w_addr = i;
    top->w_data = image[i];
    tick();
  }
  top->w_en = 0;
  run(atoi(argv[3]));
  size_t samples = pcm.size() / 2, need = 512, at = 0;
  for (size_t i = 0; i < samples; i++) {
    top->pcm_we = 1;
    top->pcm_at = at;
    top->pcm_data = uint16_t(pcm[2 * i] | pcm[2 * i + 1] << 8);
    tick();
    top->pcm_we = 0;
    at = (at + 1) % 512;
    top->pcm_at = at;
    if (--need == 0) {
      need = 160;
      run(atoi(argv[4]));
    }
  }
  delete top;
  return 0;
}
