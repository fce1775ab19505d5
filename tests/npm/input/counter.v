module top(input clk, output [7:0] led);
  reg [25:0] c = 0;
  always @(posedge clk) c <= c + 1;
  assign led = c[25:18];
endmodule
