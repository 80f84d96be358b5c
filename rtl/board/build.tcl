# SPDX-License-Identifier: MIT
# Vivado, without a project: RTL BOARD PART MEM BUILD MODEL_ID (from the Makefile beside this file, in rtl/build/BOARD,
# where the .mem files are). Ends with an error when 50 MHz are not met.
lassign $argv rtl board part mem build model
set top nm_$board

read_verilog [glob $rtl/link/*.v $rtl/core/*.v $rtl/top/*.v]
read_verilog [list $rtl/board/nm_clock.v $rtl/board/$board/$top.v]
read_mem [glob *.mem]
read_xdc $rtl/board/$board/$board.xdc
read_xdc $rtl/board/vivado.xdc

synth_design -top $top -part $part -include_dirs [list $mem $rtl/link] \
    -generic "BUILD=64'h$build" -generic "MODEL_ID=32'h$model"
opt_design
place_design
phys_opt_design
route_design

report_utilization -file utilization.txt
report_timing_summary -file timing.txt
report_power -file power.txt
foreach kind {setup hold} {
    set slack [get_property SLACK [get_timing_paths -$kind]]
    puts "worst $kind slack: $slack ns"
    if {$slack < 0} {
        error "50 MHz are not met: see timing.txt"
    }
}
write_bitstream -force $top.bit
