// Compiled file contexts (`file_contexts.bin`, made by sefcontext_compile) of an image that nobody trusts.

const MAGIC = 0xf97cff8a;
/** The first version that says on which architecture its regular expressions were compiled. */
const WITH_ARCHITECTURE = 5;
/** Big-endian from this version on. */
const BIG_ENDIAN = 6;

/**
 * The same file, as if made on another architecture: libselinux then compiles the expressions anew, from
 * their texts in the file. PCRE does not check its own serialized form, and a crafted one could write
 * anywhere in our memory. Undefined for versions that name no architecture, which nobody has made since
 * 2016. Bytes that libselinux does not take for compiled contexts stay as they are.
 */
export function withoutSerializedRegexes(bytes: Uint8Array): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const isLittle of [true, false]) {
    const read = (at: number) => (at + 4 <= view.byteLength ? view.getUint32(at, isLittle) : 0);
    if (read(0) !== MAGIC) continue;
    const version = read(4);
    if (version < WITH_ARCHITECTURE) return undefined;
    if (isLittle !== version < BIG_ENDIAN) continue;
    const architecture = 12 + read(8);
    const length = read(architecture);
    const start = architecture + 4;
    if (length === 0 || start + length > bytes.length) return bytes;
    const changed = Buffer.from(bytes);
    changed.fill("?", start, start + length);
    return changed;
  }
  return bytes;
}
