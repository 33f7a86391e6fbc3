//! DNS messages (RFC 1035 section 4): one question out, addresses in.
//!
//! Read as what it is, bytes from anybody on the network: every access is checked, a
//! compression pointer may only point backwards, and what does not belong to the question is
//! not looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CLASS_IN: u16 = 1;
const TYPE_CNAME: u16 = 5;
const HEADER: usize = 12;
/// How many aliases are followed within one answer.
const ALIASES: usize = 16;
/// How many pointers are followed within one name: as many as labels fit into 255 bytes.
const JUMPS: usize = 127;
/// How many addresses are taken from one answer.
const ADDRESSES: usize = 64;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A name in wire format, lower case, at most 255 bytes (RFC 1035 section 2.3.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name(Vec<u8>);

/// What the server says about the name.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Not empty.
    Addresses(Vec<IpAddr>),
    /// The name does not exist, or has no address of this family.
    Absent,
}

/// A message that is no usable answer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Unusable {
    /// An answer to another question, or no DNS message. Whoever waits goes on waiting.
    Foreign,
    /// The server could not or would not answer: its RCODE.
    Refused(u8),
    /// It did not fit; ask again over TCP.
    Truncated,
}

impl Family {
    fn record_type(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }
}

impl Name {
    /// From text; `None` for what DNS cannot hold.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut wire = Vec::with_capacity(text.len().saturating_add(2));
        for label in text.strip_suffix('.').unwrap_or(text).split('.') {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            wire.push(length);
            wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        wire.push(0);
        (wire.len() <= 255).then_some(Self(wire))
    }
}

/// A question with recursion desired.
pub(super) fn question(id: u16, name: &Name, family: Family) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER.saturating_add(name.0.len()).saturating_add(4));
    for field in [id, 0x0100, 1, 0, 0, 0] {
        message.extend_from_slice(&field.to_be_bytes());
    }
    message.extend_from_slice(&name.0);
    message.extend_from_slice(&family.record_type().to_be_bytes());
    message.extend_from_slice(&CLASS_IN.to_be_bytes());
    message
}

/// Reads the answer to [`question`] with the same arguments.
pub(super) fn answer(
    message: &[u8],
    id: u16,
    name: &Name,
    family: Family,
) -> Result<Outcome, Unusable> {
    let mut reader = Reader { message, at: 0 };
    let header: [u16; 6] = reader.header().ok_or(Unusable::Foreign)?;
    let [got_id, flags, questions, answers, _, additional] = header;
    let is_response = flags & 0x8000 != 0;
    let is_query = flags & 0x7800 == 0;
    if got_id != id || !is_response || !is_query {
        return Err(Unusable::Foreign);
    }
    let [_, rcode] = flags.to_be_bytes().map(|byte| byte & 0x0f);
    if questions == 0 && !matches!(rcode, 0 | 3) {
        // Some servers refuse with a bare header.
        return Err(Unusable::Refused(rcode));
    }
    if questions != 1 {
        return Err(Unusable::Foreign);
    }
    let asked = (reader.name(), reader.u16(), reader.u16());
    if asked != (Some(name.clone()), Some(family.record_type()), Some(CLASS_IN)) {
        return Err(Unusable::Foreign);
    }
    if flags & 0x0200 != 0 {
        return Err(Unusable::Truncated);
    }
    // Neither authoritative nor able to recurse: a server that only points elsewhere.
    let lame = flags & 0x0480 == 0 && answers == 0 && additional == 0;
    match rcode {
        0 if lame => return Err(Unusable::Refused(5)),
        0 => {}
        3 => return Ok(Outcome::Absent),
        rcode => return Err(Unusable::Refused(rcode)),
    }
    let records = records(&mut reader, answers, family).ok_or(Unusable::Foreign)?;
    Ok(select(records, name.clone()))
}

struct Record {
    owner: Name,
    data: Data,
}

enum Data {
    Address(IpAddr),
    Alias(Name),
}

/// The records of the answer section that can matter; `None` where it is malformed.
fn records(reader: &mut Reader<'_>, count: u16, family: Family) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for _ in 0..count {
        let owner = reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        let _ttl = reader.take(4)?;
        let length = reader.u16()?;
        let data_at = reader.at;
        let data = reader.take(length.into())?;
        if class != CLASS_IN {
            continue;
        }
        let data = if kind == family.record_type() {
            Data::Address(address(data, family)?)
        } else if kind == TYPE_CNAME {
            Data::Alias(Reader { message: reader.message, at: data_at }.name()?)
        } else {
            continue;
        };
        records.push(Record { owner, data });
    }
    Some(records)
}

/// Follows the aliases from `name` and takes the addresses at their end.
fn select(records: Vec<Record>, mut name: Name) -> Outcome {
    for _ in 0..ALIASES {
        let alias = records.iter().find_map(|record| match &record.data {
            Data::Alias(target) if record.owner == name => Some(target.clone()),
            _ => None,
        });
        match alias {
            Some(target) => name = target,
            None => break,
        }
    }
    let addresses: Vec<IpAddr> = records
        .into_iter()
        .filter(|record| record.owner == name)
        .filter_map(|record| match record.data {
            Data::Address(address) => Some(address),
            Data::Alias(_) => None,
        })
        .take(ADDRESSES)
        .collect();
    if addresses.is_empty() { Outcome::Absent } else { Outcome::Addresses(addresses) }
}

fn address(data: &[u8], family: Family) -> Option<IpAddr> {
    Some(match family {
        Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
        Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
    })
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn header(&mut self) -> Option<[u16; 6]> {
        let mut fields = [0; 6];
        for field in &mut fields {
            *field = self.u16()?;
        }
        Some(fields)
    }

    /// A name, with its compression undone (RFC 1035 section 4.1.4). Each pointer has to
    /// point before the place where the name so far began, so that this ends.
    fn name(&mut self) -> Option<Name> {
        let mut wire = Vec::new();
        let mut part = Reader { message: self.message, at: self.at };
        let mut earliest = self.at;
        let mut after = None;
        let mut jumps = 0..JUMPS;
        loop {
            let length = *part.take(1)?.first()?;
            match length {
                0 => break,
                1..=63 => {
                    wire.push(length);
                    let label = part.take(length.into())?;
                    wire.extend(label.iter().map(u8::to_ascii_lowercase));
                    if wire.len() >= 255 {
                        return None;
                    }
                }
                0xc0.. => {
                    let low = *part.take(1)?.first()?;
                    after.get_or_insert(part.at);
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if target >= earliest || jumps.next().is_none() {
                        return None;
                    }
                    earliest = target;
                    part.at = target;
                }
                _ => return None,
            }
        }
        wire.push(0);
        self.at = after.unwrap_or(part.at);
        Some(Name(wire))
    }
}

#[cfg(test)]
mod tests;
