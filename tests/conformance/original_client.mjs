// The client of the original contract, as it was written there, run by Node: only its clock goes faster.
// Usage: node original_client.mjs URL ORDER_ID. Prints what it showed, and the pauses it made, as one line of JSON.

const [base, orderId] = process.argv.slice(2);
const SPEED = 3600;
const shown = [];
const pauses = [];
const fetch = (path) => globalThis.fetch(base + path);
const setTimeout = (resolve, ms) => {
  pauses.push(ms / 1000);
  return globalThis.setTimeout(resolve, ms / SPEED);
};
const console = { log: (text) => shown.push(text), error: (text, error) => shown.push(`${text} ${error}`) };

class OrderTracker {
  constructor(orderId) {
    this.orderId = orderId;
    this.lastUpdate = null;
    this.isTracking = false;
  }

  async startTracking() {
    this.isTracking = true;
    
    while (this.isTracking) {
      try {
        // Long polling request
        const url = `/api/v1/orders/${this.orderId}/track` + 
          (this.lastUpdate ? `?last_update=${this.lastUpdate}&timeout=30` : '');
        
        const response = await fetch(url);
        const data = await response.json();
        
        if (data.success) {
          // Update UI if there's new data
          if (data.has_update) {
            this.updateOrderUI(data.data);
            this.lastUpdate = data.data.updated_at;
          }
          
          // Battery optimization: use server's recommended interval
          const nextPollInterval = data.next_poll_interval;
          
          if (nextPollInterval === 0) {
            // Order completed - stop tracking
            this.stopTracking();
            return;
          }
          
          // Wait before next poll (battery conservation)
          await this.sleep(nextPollInterval * 1000);
        }
        
      } catch (error) {
        console.error('Tracking error:', error);
        await this.sleep(10000); // Wait 10 seconds on error
      }
    }
  }

  updateOrderUI(order) {
    console.log(`📱 Order ${order.id}: ${order.status}`);
    // Update mobile UI here
  }

  stopTracking() {
    this.isTracking = false;
    console.log('🔋 Stopped tracking - battery optimized!');
  }

  sleep(ms) {
    return new Promise(resolve => setTimeout(resolve, ms));
  }
}

const tracker = new OrderTracker(Number(orderId));
await tracker.startTracking();
process.stdout.write(JSON.stringify({ shown, pauses }) + "\n");
