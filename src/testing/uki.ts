// Builds EFI executables with sections, as far as we read them.

export interface SectionSpec {
  readonly name: string;
  readonly content: Buffer | string;
}

const ALIGNMENT = 512;

/** Sections are padded in the file, as real linkers do. */
export function makeUki(specs: readonly SectionSpec[]): Buffer {
  const sections = specs.map(({ name, content }) => ({ name, content: Buffer.from(content) }));
  const pe = 128;
  const optionalBytes = 112;
  const table = pe + 24 + optionalBytes;
  const headerBytes = align(table + 40 * sections.length);
  const header = Buffer.alloc(headerBytes);
  header.write("MZ", 0);
  header.writeUInt32LE(pe, 60);
  header.write("PE\0\0", pe);
  header.writeUInt16LE(0x8664, pe + 4);
  header.writeUInt16LE(sections.length, pe + 6);
  header.writeUInt16LE(optionalBytes, pe + 20);
  let offset = headerBytes;
  const bodies = sections.map(({ name, content }, i) => {
    const at = table + 40 * i;
    header.write(name, at, 8, "latin1");
    header.writeUInt32LE(content.length, at + 8);
    header.writeUInt32LE(align(content.length), at + 16);
    header.writeUInt32LE(offset, at + 20);
    offset += align(content.length);
    return Buffer.concat([content, Buffer.alloc(align(content.length) - content.length, 0xff)]);
  });
  return Buffer.concat([header, ...bodies]);
}

function align(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}
