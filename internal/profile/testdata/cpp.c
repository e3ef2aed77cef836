// A function with the name that a C++ compiler gives it: building this takes a C
// compiler only.
int forward(const unsigned char *p, unsigned long n) __asm__("_ZN10hyper_derp6Worker10ForwardMsgEPKhm");
int forward(const unsigned char *p, unsigned long n) { return n > 0 ? p[n - 1] + 1 : 0; }
int main(void) { return forward((const unsigned char *)"x", 1) == 0; }
