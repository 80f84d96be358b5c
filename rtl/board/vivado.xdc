# SPDX-License-Identifier: MIT
# For Vivado alone, all boards: what nextpnr-xilinx does not read. The MMCM's 50 MHz follow from the oscillator's clock.
# Buttons, LEDs and the serial line belong to no clock; inputs pass through synchronisers (ASYNC_REG).
set_false_path -from [get_ports -filter {DIRECTION == IN && NAME !~ *clk* && NAME !~ *CLK*}]
set_false_path -to [all_outputs]

set_property CFGBVS VCCO [current_design]
set_property CONFIG_VOLTAGE 3.3 [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property BITSTREAM.CONFIG.SPI_BUSWIDTH 4 [current_design]
set_property BITSTREAM.CONFIG.CONFIGRATE 33 [current_design]
