import { expect, test } from "vitest";
import { decideUnbound, parseBoundImage, storageName } from "./bound-images.ts";

test.each([
  ["a .image file", "a.image", "[Image]\nImage=quay.io/a/b:1\n", "quay.io/a/b:1"],
  ["a .container file", "a.container", "[Container]\nImage = quay.io/a/b\n", "quay.io/a/b"],
  ["other sections do not count", "a.image", "[Container]\nImage=x\n[Image]\nImage=y\n", "y"],
  ["the last one counts", "a.image", "[Image]\nImage=x\nImage=y\n", "y"],
  ["a transport", "a.image", "[Image]\nImage=docker://quay.io/a/b:1\n", "quay.io/a/b:1"],
  ["one of a container", "a.container", "[Container]\nImage=docker://h:5000/x", "h:5000/x"],
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

test.each([
  ["web.image", "bind `web.image` instead: link that file into /usr/lib/bootc/bound-images.d"],
  ["web.build", "an image built on the machine cannot be bound; name an image in a registry"],
])("a container whose image is another Quadlet file gets a hint: %s", (image, hint) => {
  const parse = () => parseBoundImage("a.container", `[Container]\nImage=${image}\n`);
  expect(parse).toThrow(
    expect.objectContaining({
      message: `\`Image=${image}\` names another Quadlet file, not an image`,
      hint,
    }),
  );
});

const DIGEST = `sha256:${"a".repeat(64)}`;

test.each([
  ["busybox", "docker.io/library/busybox:latest"],
  ["quay.io/a/b", "quay.io/a/b:latest"],
  ["quay.io/a/b:1", "quay.io/a/b:1"],
  [`quay.io/a/b@${DIGEST}`, `quay.io/a/b@${DIGEST}`],
  [`quay.io/a/b:1@${DIGEST}`, `quay.io/a/b@${DIGEST}`],
  ["No Name", "No Name"],
])("in a storage `%s` is called `%s`", (image, want) => {
  expect(storageName(image)).toBe(want);
});

test("an image stays while one of its names is bound; without a name it goes", () => {
  const stored = [
    { id: "two", names: ["quay.io/a:1", "quay.io/a:2"] },
    { id: "latest", names: ["docker.io/library/busybox:latest"] },
    { id: "other", names: ["quay.io/b:1"] },
    { id: "nameless", names: [] },
  ];
  const gone = decideUnbound(stored, ["quay.io/a:2", "busybox"]);
  expect(gone.map((it) => it.id)).toEqual(["other", "nameless"]);
});
