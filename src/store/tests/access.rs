//! Who may open a folder, and who reads beside whom.

use std::sync::Arc;

use super::*;

#[test]
fn one_writes_and_others_read_beside_it() {
    let data = folder();
    assert_eq!(refused(Store::open(data.path(), Access::Read)), "store.absent");
    let (store, id) = fresh(data.path());
    store.set_address(Some("127.0.0.1:8080"));
    let Err(StoreError::Locked { hint: Some(hint), .. }) = Store::open(data.path(), Access::Write) else {
        panic!("locked, with a hint")
    };
    assert_eq!(hint, Hint { pid: std::process::id(), address: Some("127.0.0.1:8080".into()), key: None });

    let reader = Store::open(data.path(), Access::Read).unwrap();
    assert_eq!(refused(reader.commit(id, &Batch::default())), "store.opened_for_reading");
    assert_eq!(refused(reader.put_blob(b"x")), "store.opened_for_reading");
    store.commit(id, &upsert(vec![entry("a", 1, 2)])).unwrap();
    assert_eq!(seen(&reader, id), seen(&store, id));
    assert_eq!(seen(&reader, id).len(), 1);

    // A reader does not wait for a writer in the middle of its transaction.
    let mut writer = store.writer().unwrap();
    let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    tx.execute("DELETE FROM items", []).unwrap();
    assert_eq!(seen(&store, id).len(), 1);
    drop(tx);
    drop(writer);
    drop(store);
    assert_eq!(holder(data.path()), None);
    Store::open(data.path(), Access::Write).unwrap();
}

#[test]
fn many_threads_read_while_one_writes() {
    let data = folder();
    let (store, id) = fresh(data.path());
    let store = Arc::new(store);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..60 {
                store.commit(id, &upsert(vec![entry("a", n * 10, 2), entry("b", n * 10 + 5, 1)])).unwrap();
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..60 {
                    let items = store.list(id, &Filter::default(), None, 9).unwrap();
                    assert!(items.is_empty() || items.len() == 2, "a commit is seen whole");
                    let live = store.live(id).unwrap();
                    assert!(live.is_empty() || live.len() == 3);
                }
            });
        }
    });
}
