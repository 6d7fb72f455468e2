import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.sql.SQLException;

/**
 * An application in Java: four workers that query a database through a pool of HikariCP with Connector/J.
 *
 * <p>Each query is one line on standard output: the time of its end in milliseconds since 1970, the number of its worker, and "ok" or
 * "failed" with the error. It ends with its standard input. The arguments are host and port, neither of which changes while it runs, and
 * how it is set up: "defaults" as the pool is by itself, which checks no connection that was used within the last half second, "checks"
 * with a check of each connection before it is used, and "retries" with queries that are repeated for ten seconds as well.
 */
public final class Pool {
  private static final int WORKERS = 4;

  /** For how long a query that fails is repeated, and how often, in milliseconds. */
  private static final long PATIENCE = 10_000;

  private static final long PAUSE = 100;

  private Pool() {}

  public static void main(String[] arguments) throws IOException {
    if (!arguments[2].equals("defaults")) {
      System.setProperty("com.zaxxer.hikari.aliveBypassWindowMs", "0");
    }
    boolean retries = arguments[2].equals("retries");
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(
        "jdbc:mysql://" + arguments[0] + ":" + arguments[1] + "/shop?connectTimeout=10000&socketTimeout=5000&sslMode=DISABLED");
    config.setUsername("root");
    config.setMaximumPoolSize(WORKERS);
    config.setConnectionTimeout(10_000);
    config.setValidationTimeout(5_000);
    config.setMaxLifetime(600_000);
    // The pool also starts where nothing answers yet.
    config.setInitializationFailTimeout(-1);
    HikariDataSource pool = new HikariDataSource(config);
    for (int worker = 0; worker < WORKERS; worker++) {
      int number = worker;
      Thread thread = new Thread(() -> work(pool, number, retries));
      thread.setDaemon(true);
      thread.start();
    }
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  private static void work(HikariDataSource pool, int worker, boolean retries) {
    try {
      while (true) {
        String line = "ok";
        try {
          patiently(pool, retries);
        } catch (SQLException error) {
          line = "failed " + String.valueOf(error.getMessage()).replace('\n', ' ');
        }
        System.out.println(System.currentTimeMillis() + " " + worker + " " + line);
        Thread.sleep(20);
      }
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  private static void patiently(HikariDataSource pool, boolean retries) throws SQLException, InterruptedException {
    long began = System.currentTimeMillis();
    while (true) {
      try {
        query(pool);
        return;
      } catch (SQLException error) {
        if (!retries || System.currentTimeMillis() - began > PATIENCE) {
          throw error;
        }
      }
      Thread.sleep(PAUSE);
    }
  }

  private static void query(HikariDataSource pool) throws SQLException {
    try (var connection = pool.getConnection();
        var statement = connection.prepareStatement("SELECT item FROM orders WHERE id = 1");
        var rows = statement.executeQuery()) {
      if (!rows.next()) {
        throw new SQLException("the row is not there");
      }
    }
  }
}
