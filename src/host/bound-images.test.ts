import { expect, test } from "vitest";
import { parseBoundImage } from "./bound-images.ts";

test.each([
  ["a .image file", "a.image", "[Image]\nImage=quay.io/a/b:1\n", "quay.io/a/b:1"],
  ["a .container file", "a.container", "[Container]\nImage = quay.io/a/b\n", "quay.io/a/b"],
  ["other sections do not count", "a.image", "[Container]\nImage=x\n[Image]\nImage=y\n", "y"],
  ["the last one counts", "a.image", "[Image]\nImage=x\nImage=y\n", "y"],
  ["comments", "a.image", "[Image]\n# Image=x\n;Image=z\nImage=y", "y"],
  ["a line that goes on", "a.image", "[Image]\nImage=\\\n  y\n", "y"],
  ["two percent signs are one", "a.image", "[Image]\nImage=a%%b\n", "a%b"],
  ["AuthFile of a container is podman's", "a.container", "[Container]\nAuthFile=x\nImage=y", "y"],
])("%s", (_about, name, text, want) => {
  expect(parseBoundImage(name, text)).toBe(want);
});

test.each([
  ["another kind of file", "a.volume", "[Image]\nImage=x\n", "Invalid file extension: a.volume"],
  ["no image", "a.image", "[Image]\nArch=x\n", "Missing Image field"],
  ["an image in another section", "a.image", "[Container]\nImage=x\n", "Missing Image field"],
  ["an empty image", "a.container", "[Container]\nImage=\n", "Missing Image field"],
  [
    "credentials of its own",
    "a.image",
    "[Image]\nImage=x\nAuthFile=/y\n",
    "AuthFile is not supported by bound bootc images",
  ],
  ["a specifier", "a.image", "[Image]\nImage=x:%v\n", "Systemd specifiers are not supported"],
  ["one after a percent sign", "a.image", "[Image]\nImage=%%%v\n", "Systemd specifiers are not"],
])("refuses %s", (_about, name, text, message) => {
  expect(() => parseBoundImage(name, text)).toThrow(message);
});
