import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Peer PORT [FILE] is a MongoDB server on loopback: in memory, or in a file that holds whatever was acknowledged when the
 * process is killed. It prints its port, and ends when its standard input does, so that it never outlives its test.
 */
public class Peer {
  /** Version says wire version 13, as MongoDB 5.0 does: drivers refuse the 8 that the library stands for. */
  static class Version implements MongoVersion {
    public List<Integer> getVersionArray() {
      return List.of(5, 0, 0);
    }

    public int getWireVersion() {
      return 13;
    }
  }

  /**
   * The library answers with the very documents that later updates change, and encodes them when it has let go of their
   * collection: a reader would get a document that is half old and half new. So messages are handled one by one, and the
   * answer is a copy.
   */
  private static final Object ONE = new Object();

  /** Collection uses its index for a query that names an _id and something else; the library reads all documents for it. */
  static class Collection extends MemoryCollection {
    Collection(MongoDatabase database, String name, CollectionOptions options, CursorRegistry cursors) {
      super(database, name, options, cursors);
    }

    @Override
    protected QueryResult queryDocuments(Document query, Document order, int skip, int limit, int batch, Document fields) {
      if (query.size() < 2 || !(query.get("_id") instanceof String)) {
        return super.queryDocuments(query, order, skip, limit, batch, fields);
      }
      Iterable<Integer> at = getIndexes().get(0).getPositions(new Document("_id", query.get("_id")));
      Stream<Document> some = StreamSupport.stream(at.spliterator(), false).map(this::getDocument);
      return matchDocumentsFromStream(some, query, order, skip, limit, batch, fields);
    }
  }

  /** InMemory gives whole documents. */
  static class InMemory extends MemoryBackend {
    @Override
    public MemoryDatabase openOrCreateDatabase(String name) {
      return new MemoryDatabase(name, getCursorRegistry()) {
        @Override
        protected MemoryCollection openOrCreateCollection(String collection, CollectionOptions options) {
          return new Collection(this, collection, options, cursorRegistry);
        }
      };
    }

    @Override
    public Document handleMessage(MongoMessage message) {
      synchronized (ONE) {
        return super.handleMessage(message).cloneDeeply();
      }
    }
  }

  /** InFile gives whole documents too, and writes to its file before it answers. */
  static class InFile extends H2Backend {
    InFile(String file) {
      super(file);
    }

    @Override
    public Document handleMessage(MongoMessage message) {
      synchronized (ONE) {
        Document reply = super.handleMessage(message).cloneDeeply();
        if (getMvStore().hasUnsavedChanges()) {
          commit();
        }
        return reply;
      }
    }
  }

  public static void main(String[] args) throws Exception {
    MongoBackend backend = args.length > 1 ? new InFile(args[1]) : new InMemory();
    MongoServer server = new MongoServer(backend.version(new Version()));
    server.bind("127.0.0.1", Integer.parseInt(args[0]));
    System.out.println(server.getLocalAddress().getPort());
    if (Boolean.getBoolean("stay")) { // until it is ended
      Thread.currentThread().join();
    }
    while (System.in.read() >= 0) {
    }
    server.shutdownNow();
    System.exit(0);
  }
}
