"""What the book's explorer shows: tables of judged SAEs, kept by the chapters, and the script files made of them."""
