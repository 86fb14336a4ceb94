// Any text at all, for properties. fast-check's own unit `binary` lists a million characters when a file first asks
// for it, which takes longer than all the tests of that file.
import fc from "fast-check";

/** Every character that UTF-8 can write, the zero included. */
const character = fc.oneof(
  fc.integer({ min: 0, max: 0x7f }),
  fc.integer({ min: 0x80, max: 0xd7ff }),
  fc.integer({ min: 0xe000, max: 0x10ffff }),
);

/** Names that objects have from the start. */
const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "length"];

export function anyText({
  minLength = 0,
  maxLength = 100,
}: {
  readonly minLength?: number;
  readonly maxLength?: number;
} = {}): fc.Arbitrary<string> {
  const characters = fc
    .array(character, { minLength, maxLength })
    .map((it) => String.fromCodePoint(...it));
  return fc.oneof({ weight: 15, arbitrary: characters }, fc.constantFrom(...INHERITED));
}
