// The sheet's measures and colours. It is 1000 by 1000 units whatever its size on screen.
export const UNITS = 1000;
export const PEN = 52; // units; as thick as MNIST's pens are for a digit that fills half the sheet
export const ERASER = 110;
export const PAPER = "#ffffff";
export const INK = "#161b26"; // what the server makes of it is black
export const SMALL_PICTURE = 64; // pixels; up to here every grey level counts, and JPEG would change some
