"""What the book costs, and how many times faster its own ways are than the plain ones. Not part of the library."""
