//! Functions of the language that are written anew, since those of Rhai have no bound: `replace` makes a text of any length
//! before it is measured, `pad` never ends with an empty text and overflows with a large number, and `sort` ends the program
//! where what compares is no order.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, NativeCallContext, Position};

use super::{ITEMS, TEXT};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Puts them before those of the packages.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("replace", |text: &mut ImmutableString, find: &str, put: &str| replace(text, find, put))
        .register_fn("replace", |text: &mut ImmutableString, find: &str, put: char| {
            replace(text, find, put.encode_utf8(&mut [0; 4]))
        })
        .register_fn("replace", |text: &mut ImmutableString, find: char, put: &str| {
            replace(text, find.encode_utf8(&mut [0; 4]), put)
        })
        .register_fn("replace", |text: &mut ImmutableString, find: char, put: char| {
            replace(text, find.encode_utf8(&mut [0; 4]), put.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |text: &mut ImmutableString, length: INT, with: &str| pad(text, length, with))
        .register_fn("pad", |text: &mut ImmutableString, length: INT, with: char| {
            pad(text, length, with.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |list: &mut Array, length: INT, item: Dynamic| pad_list(list, length, &item));
    for name in ["sort", "sort_by"] {
        engine.register_fn(name, |context: NativeCallContext, list: &mut Array, compare: FnPtr| {
            *list = ordered(&context, list, &compare)?;
            Ok::<_, Box<EvalAltResult>>(())
        });
    }
    for name in ["order", "order_by"] {
        engine.register_fn(name, |context: NativeCallContext, list: &mut Array, compare: FnPtr| {
            ordered(&context, list, &compare)
        });
    }
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}

fn replace(text: &mut ImmutableString, find: &str, put: &str) -> Fallible<()> {
    // As in Rhai, nothing stands in an empty text.
    if text.is_empty() {
        return Ok(());
    }
    let found = text.matches(find).count();
    let length = found.saturating_mul(put.len()).saturating_add(text.len()) - found * find.len();
    if length > TEXT {
        return Err(too_large("Length of string"));
    }
    *text = text.replace(find, put).into();
    Ok(())
}

/// Makes a text `length` characters long.
fn pad(text: &mut ImmutableString, length: INT, with: &str) -> Fallible<()> {
    let length = usize::try_from(length).unwrap_or_default();
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 || with.is_empty() {
        return Ok(());
    }
    if length > TEXT {
        return Err(too_large("Length of string"));
    }
    let padding: String = with.chars().cycle().take(missing).collect();
    *text = format!("{text}{padding}").into();
    Ok(())
}

fn pad_list(list: &mut Array, length: INT, item: &Dynamic) -> Fallible<()> {
    let length = usize::try_from(length).unwrap_or_default();
    let missing = length.saturating_sub(list.len());
    if missing == 0 {
        return Ok(());
    }
    let (items, text) = size(item);
    if length > ITEMS || missing.saturating_mul(items) > ITEMS || missing.saturating_mul(text) > TEXT {
        return Err(too_large("Size of array"));
    }
    list.resize(length, item.clone());
    Ok(())
}

/// How many items a value is, with all that is in it, and how many bytes of text.
fn size(value: &Dynamic) -> (usize, usize) {
    let sum = |(items, text): (usize, usize), (more, longer)| (items + more, text + longer);
    if let Ok(list) = value.as_array_ref() {
        return list.iter().map(size).fold((1, 0), sum);
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().map(size).fold((1, 0), sum);
    }
    (1, value.as_immutable_string_ref().map_or(0, |text| text.len()))
}

/// A list in the order that a function gives, which need be none: the result is the same everywhere, and what the function
/// fails with is told.
fn ordered(context: &NativeCallContext<'_>, list: &Array, compare: &FnPtr) -> Fallible<Array> {
    sorted(list.clone(), &mut |one, other| {
        let said = compare.call_raw(context, None, [one.clone(), other.clone()])?;
        match (said.as_int(), said.as_bool()) {
            (Ok(number), _) => Ok(number > 0),
            (_, Ok(in_order)) => Ok(!in_order),
            _ => Err("what compares gives a whole number, or true or false".into()),
        }
    })
}

/// `is_after`: whether the first comes after the second.
fn sorted(
    mut list: Array,
    is_after: &mut dyn FnMut(&Dynamic, &Dynamic) -> Fallible<bool>,
) -> Fallible<Array> {
    if list.len() < 2 {
        return Ok(list);
    }
    let right = list.split_off(list.len() / 2);
    let mut merged = Array::with_capacity(list.len() + right.len());
    let mut left = sorted(list, is_after)?.into_iter().peekable();
    let mut right = sorted(right, is_after)?.into_iter().peekable();
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let next = if is_after(one, other)? { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
