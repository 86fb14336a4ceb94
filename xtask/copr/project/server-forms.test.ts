import { expect, test } from "vitest";
import { isContactOfForm, isUrlOfForm } from "../../../tests/copr-forms.ts";
import { isServerContact, isServerUrl } from "./server-forms.ts";

// As WTForms' URL decides, which the server's form uses.
test.each([
  ["https://example.org", true],
  ["HTTPS://Example.ORG:8443/a?b=c#d", true],
  ["https://example.org?b", true],
  ["ftp://my_host.example.org/x", true],
  ["http://192.0.2.1/x", true],
  ["https://xn--bcher-kva.example/", true],
  ["https://", false],
  ["https:///path", false],
  ["https://localhost/", false],
  ["https://example", false],
  ["https://example.o", false],
  ["https://example.org.", false],
  ["https://a b.example.org/", false],
  ["https://user@example.org/", false],
  ["https://example.org#fragment", false],
  ["https://example.org:port/", false],
  ["http://300.0.2.1/", false],
  ["http://[2001:db8::1]/", false],
  ["git+ssh://example.org/", false],
  [`https://${"a".repeat(64)}.example.org/`, false],
  ["example.org", false],
])("the URL %s: %s", (text, want) => {
  expect(isServerUrl(text)).toBe(want);
  expect(isUrlOfForm(text)).toBe(want);
  // Every URL is a contact as well.
  expect(isServerContact(text)).toBe(want);
});

test.each([
  ["me@example.org", true],
  ["first.last+tag@sub.example.org", true],
  ["o'hara@example.org", true],
  ["me@example", false],
  ["me@localhost", false],
  ["me@printer.local", false],
  ["me@example.test", false],
  ["me@[192.0.2.1]", false],
  ["me@192.0.2.1", false],
  ["me@-example.org", false],
  [".me@example.org", false],
  ["me..you@example.org", false],
  ["me@you@example.org", false],
  ["me @example.org", false],
  ["@example.org", false],
  [`${"m".repeat(65)}@example.org`, false],
  ["Me <me@example.org>", false],
  ["mailto:me@example.org", false],
])("the address %s: %s", (text, want) => {
  expect(isServerContact(text)).toBe(want);
  expect(isContactOfForm(text)).toBe(want);
});

test("a name in another script is taken, as the server encodes it first", () => {
  expect(isServerUrl("https://bücher.example/")).toBe(true);
  expect(isServerContact("grüße@bücher.example")).toBe(true);
});
