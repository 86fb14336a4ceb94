import { expect, test } from "vitest";
import { fixedPrefix } from "./fixed-prefix.ts";

test.each([
  ["/usr/bin/sudo", "/usr/bin/sudo"],
  ["/usr/bin(/.*)?", "/usr/bin"],
  ["/usr/.*\\.cgi", "/usr/"],
  ["/usr/lib/libm\\.so\\.6", "/usr/lib/libm.so.6"],
  ["/usr/libx?/foo", "/usr/lib"],
  ["/usr/libx*", "/usr/lib"],
  ["/usr/libx+/foo", "/usr/libx"],
  ["/dev/[shmxv]d[^/]*", "/dev/"],
  ["/dev/tty[0-9a-f]+", "/dev/tty"],
  ["/usr/(local/)?bin/ksu", "/usr/"],
  ["/var/(db|adm)/sudo(/.*)?", "/var/"],
  ["/usr/share/a-b_c,d@e%f~g=h!i&j:k;l", "/usr/share/a-b_c,d@e%f~g=h!i&j:k;l"],
])("all that %s matches begins with %j", (regex, prefix) => {
  expect(fixedPrefix(regex)).toBe(prefix);
});

test.each([
  ["alternatives without a group", "/usr/a|/usr/b"],
  ["alternatives behind a bracket in a class", "/usr/[(]a|b"],
  ["a counted repetition", "/run/user/a{2}"],
  ["a brace that repeats nothing", "/run/user/%{USERID}"],
  ["a lazy quantifier", "/usr/a*?b"],
  ["a possessive quantifier", "/usr/a*+b"],
  ["a quantifier of nothing", "/usr/(*a)"],
  ["a quantifier behind an alternative", "/usr/(a|*)"],
  ["a quantifier at the start", "*"],
  ["a lookahead", "/usr/(?!bin).*"],
  ["a verb of PCRE", "(*UTF)/usr"],
  ["an option of PCRE", "(?i)/USR"],
  ["an escaped letter", "/usr/\\d"],
  ["a quoted part", "/usr/\\Qa|b\\E"],
  ["a class of POSIX", "/usr/[[:alpha:]]"],
  ["a class of POSIX outside of a class", "/usr/[:alpha:]"],
  ["a range from back to front", "/usr/[z-a]"],
  ["a class without an end", "/usr/[a"],
  ["an empty class", "/usr/[]"],
  ["an escape in a class", "/usr/[\\d]"],
  ["a group without an end", "/usr/(a"],
  ["an end without a group", "/usr/a)"],
  ["an anchor", "^/usr"],
  ["another anchor", "/usr$"],
  ["a backslash at the end", "/usr\\"],
  ["a letter beyond ASCII", "/usr/ä"],
  ["a line break", "/usr/a\nb"],
  ["a NUL byte", "/usr/\0"],
  ["many groups in one another", `/usr/${"(".repeat(51)}a${")".repeat(51)}`],
  ["a long text", `/usr/${"a".repeat(1000)}`],
])("nothing is said about an expression with %s", (_, regex) => {
  expect(fixedPrefix(regex)).toBe("");
});
